/** What the demo tells as it goes, and whether all of it held. */

/** Prints sections and checks, and keeps the failures. */
export class DemoReport {
  readonly #output: { writeSync(octets: Uint8Array): number };
  readonly #failures: string[] = [];

  constructor(output: { writeSync(octets: Uint8Array): number }) {
    this.#output = output;
    this.#print("xoauth2-proxy demo: one message from an SMTP client to an XOAUTH2-only provider\n");
  }

  /** Prints a section. */
  tell(title: string, lines: readonly string[]): void {
    this.#print(`\n${title}\n${lines.map((line) => `    ${line}\n`).join("")}`);
  }

  /** Prints a claim with its evidence, and whether it held. */
  check(claim: string, held: boolean, evidence: readonly string[]): void {
    this.tell(`${held ? "[ok]  " : "[FAIL]"} ${claim}`, evidence);
    if (!held) this.#failures.push(claim);
  }

  /** Notes that the demo itself went wrong. */
  fail(why: string): void {
    this.#failures.push(why);
  }

  /** Prints the outcome. @returns The exit code. */
  conclude(): number {
    if (this.#failures.length === 0) this.#print("\nAll of it held.\n");
    else this.tell("Failed:", this.#failures.flatMap((failure) => failure.split("\n")));
    return this.#failures.length === 0 ? 0 : 1;
  }

  #print(text: string): void {
    const octets = new TextEncoder().encode(text);
    for (let sent = 0; sent < octets.length;) sent += this.#output.writeSync(octets.subarray(sent));
  }
}
