/** What an operator types, or pipes in. */

import { CommandFailure } from "./command_failure.ts";

/** Where answers come from; tests give their own. */
export interface CommandInput {
  /** Somebody can be asked. */
  readonly isTerminal: boolean;
  /** Asks, and shows what is typed. */
  ask(question: string): Promise<string>;
  /** Asks, and shows nothing. */
  askSecret(question: string): Promise<string>;
  /** Everything that is piped in. */
  readAll(): Promise<string>;
}

const ctrlC = 0x03;
const ctrlD = 0x04;
const backspace = 0x08;
const ctrlU = 0x15;
const escape = 0x1b;
const del = 0x7f;

/** Interrupted by Ctrl+C, as shells tell it. */
const exitInterrupted = 130;

/** Standard input. Questions go to standard error, so that standard output has results only. */
export class TerminalInput implements CommandInput {
  /** Typed or pasted ahead, for the next question. */
  #ahead: number[] = [];

  get isTerminal(): boolean {
    return Deno.stdin.isTerminal();
  }

  async ask(question: string): Promise<string> {
    return await this.#ask(question, (text) => text);
  }

  async askSecret(question: string): Promise<string> {
    return await this.#ask(question, () => "");
  }

  async readAll(): Promise<string> {
    return await new Response(Deno.stdin.readable).text();
  }

  async #ask(question: string, echo: (text: string) => string): Promise<string> {
    write(`${question} `);
    Deno.stdin.setRaw(true);
    try {
      return await this.#readLine(echo);
    } finally {
      Deno.stdin.setRaw(false);
      write("\r\n");
    }
  }

  async #readLine(echo: (text: string) => string): Promise<string> {
    const line: number[] = [];
    for (;;) {
      const octet = await this.#nextOctet();
      if (octet === undefined || octet === 0x0d || octet === 0x0a) break;
      if (octet === ctrlC || (octet === ctrlD && line.length === 0)) {
        throw new CommandFailure("Given up", { status: exitInterrupted });
      }
      if (octet === del || octet === backspace) {
        if (line.length > 0) write(echo("\b \b"));
        // A character of several octets goes as a whole.
        while (((line.pop() ?? 0) & 0xc0) === 0x80);
      } else if (octet === ctrlU) {
        write(echo("\b \b".repeat(decode(line).length)));
        line.length = 0;
      } else if (octet === escape) {
        this.#ahead = [];
      } else if (octet >= 0x20) {
        line.push(octet);
        Deno.stderr.writeSync(echo("x") === "" ? new Uint8Array() : Uint8Array.of(octet));
      }
    }
    return decode(line).trim();
  }

  async #nextOctet(): Promise<number | undefined> {
    if (this.#ahead.length === 0) {
      const chunk = new Uint8Array(4096);
      const octets = await Deno.stdin.read(chunk);
      if (octets === null) return undefined;
      this.#ahead = [...chunk.subarray(0, octets)];
    }
    return this.#ahead.shift();
  }
}

function decode(octets: readonly number[]): string {
  return new TextDecoder().decode(Uint8Array.from(octets));
}

function write(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}
