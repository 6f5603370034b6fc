/** What is left of the accounts when their writer is killed. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { TextLineStream } from "../support/text_line_stream.ts";

interface Stored {
  readonly email: string;
  readonly refresh_token: string;
}

const program = new URL("./accounts_rotation_process.ts", import.meta.url);
const rounds = 10;
const accountCount = 20;

/** Runs the process, kills it after so many lines and gives everything that it had printed. */
async function runAndKill(folder: string, afterLines: number): Promise<string[]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", program.pathname, folder],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines: string[] = [];
  for await (
    const line of child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream())
  ) {
    lines.push(line);
    if (lines.length === afterLines) child.kill("SIGKILL");
  }
  await child.status;
  return lines;
}

/** Checks the file against what was said to be on disk. */
function checkStored(stored: Stored[], said: string[], gone: Set<string>): void {
  const tokens = new Map(stored.map(({ email, refresh_token }) => [email, Number(refresh_token)]));
  assert.equal(tokens.size, stored.length, "an account stands in the file twice");
  for (const line of said) {
    const [first = "", second = ""] = line.split(" ");
    if (first === "removed") gone.add(second);
  }
  for (const line of said) {
    const [first = "", second = ""] = line.split(" ");
    if (first === "removed" || (first === "added" && gone.has(second))) continue;
    if (first === "added") continue;
    assert.ok(
      (tokens.get(first) ?? -1) >= Number(second),
      `${first} has ${tokens.get(first)}, said was ${second}`,
    );
  }
  for (const email of gone) assert.equal(tokens.has(email), false, `${email} is back`);
  const added = said.flatMap((line) => line.startsWith("added ") ? [line.slice(6)] : []);
  // The last one added may have been removed already, with the line that says so not yet printed.
  for (const email of added.slice(0, -1)) {
    assert.ok(tokens.has(email) || gone.has(email), `${email} is missing`);
  }
}

Deno.test("AccountStore has every acknowledged change on disk after kill -9 at random instants", async () => {
  const folder = await Deno.makeTempDir();
  const file = join(folder, "accounts.json");
  const gone = new Set<string>();
  let rotations = 0;
  try {
    const accounts = Array.from({ length: accountCount }, (_, index) => ({
      email: `sender${index}@example.com`,
      provider: "gmail",
      client_id: "client",
      refresh_token: "0",
    }));
    await Deno.writeTextFile(file, JSON.stringify(accounts), { mode: 0o600 });
    for (let round = 0; round < rounds; round++) {
      const said = await runAndKill(folder, 1 + Math.floor(Math.random() * 200));
      rotations += said.filter((line) => line.startsWith("sender")).length;
      checkStored(JSON.parse(await Deno.readTextFile(file)), said, gone);
    }
    assert.ok(rotations > 100, `only ${rotations} rotations`);
    const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
    assert.ok(names.filter((name) => name.endsWith(".tmp")).length <= 1, "temporary files pile up");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
