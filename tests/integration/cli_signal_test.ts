/** A signal ends a command, but not the rotation of a refresh token that is under way: it would be lost. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { ChildProcess } from "../support/child_process.ts";
import { programFromSource } from "../support/daemon_process.ts";
import { ScriptedTokenEndpoint, type TokenRequest } from "../support/token_endpoint.ts";
import { newAccount } from "./admin_fixture.ts";
import { CliFixture } from "./cli_fixture.ts";

interface Interrupted {
  readonly name: string;
  readonly signal: Deno.Signal;
  readonly status: number;
  /** Accounts on disk before. */
  readonly there: number;
  readonly args: (fixture: CliFixture) => Promise<string[]>;
  /** Requests that are under way when the signal comes. */
  readonly requests: number;
}

const parallel = 50;
const more = 55;

const accounts = (count: number) =>
  Array.from(
    { length: count },
    (_, index) => newAccount(`a${index}@example.com`, { refresh_token: `first-${index}` }),
  );

const cases: readonly Interrupted[] = [
  {
    name: "account verify",
    signal: "SIGINT",
    status: 130,
    there: more,
    args: () => Promise.resolve(["account", "verify"]),
    requests: parallel,
  },
  {
    name: "account verify of one account, at a hang-up",
    signal: "SIGHUP",
    status: 129,
    there: 1,
    args: () => Promise.resolve(["account", "verify", "a0@example.com", "--json"]),
    requests: 1,
  },
  {
    name: "account import",
    signal: "SIGTERM",
    status: 143,
    there: 0,
    args: async (fixture) => [
      "account",
      "import",
      await fixture.write("import.json", JSON.stringify(accounts(more))),
    ],
    requests: parallel,
  },
  {
    name: "account add",
    signal: "SIGINT",
    status: 130,
    there: 0,
    args: async (fixture) => [
      ...["account", "add", "a0@example.com", "--provider", "test", "--client-id", "app"],
      ...["--refresh-token-file", await fixture.write("token.txt", "first-0")],
    ],
    requests: 1,
  },
  {
    name: "send-test",
    signal: "SIGTERM",
    status: 143,
    there: 1,
    args: () => Promise.resolve(["send-test", "--account", "a0@example.com", "--to", "b@example.com"]),
    requests: 1,
  },
];

for (const { name, signal, status, there, args, requests } of cases) {
  Deno.test({
    name: `${signal} in ${name} keeps the refresh tokens that come yet, and asks for no more`,
    ignore: Deno.build.os === "windows",
    async fn() {
      await using lab = await start(there);
      lab.endpoint.always((request) => ({ until: lab.late, then: { body: rotated(request) } }));
      await using child = lab.spawn(await args(lab.cli));
      await lab.endpoint.waitForRequests(requests);
      await stop(child, signal);
      lab.answer();
      assert.deepEqual(await child.exited, { code: status, signal: null });
      assert.deepEqual([child.lines.stdout, ownLines(child).length], [[], 1]);
      const records: readonly { refresh_token: string }[] = await lab.cli.records();
      const kept = records.filter((record) => record.refresh_token.startsWith("next after first-"));
      assert.deepEqual([lab.endpoint.requestCount, kept.length], [requests, requests]);
    },
  });
}

Deno.test({
  name: "A signal in account authorize keeps the grant that comes yet",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using lab = await start(1);
    const { origin } = new URL(lab.endpoint.url);
    lab.endpoint.once({
      body: { device_code: "d", user_code: "U", verification_uri: origin, expires_in: 600, interval: 1 },
    });
    lab.endpoint.always({ until: lab.late, then: { body: { ...token, refresh_token: "granted" } } });
    await using child = lab.spawn(["account", "authorize", "a0@example.com", "--device"]);
    await lab.endpoint.waitForRequests(2);
    await stop(child, "SIGINT");
    lab.answer();
    assert.deepEqual(await child.exited, { code: 130, signal: null });
    const [record] = await lab.cli.records();
    assert.equal(record.refresh_token, "granted");
  },
});

Deno.test({
  name: "A signal ends a command although the provider never answers",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using lab = await start(1);
    lab.endpoint.always("hang");
    await using child = lab.spawn(["account", "verify"]);
    await lab.endpoint.waitForRequests(1);
    await stop(child, "SIGTERM");
    assert.deepEqual(await child.exited, { code: 143, signal: null });
  },
});

/** Accounts at a token endpoint that can answer late, and a mail server that never greets. */
async function start(count: number) {
  await using stack = new AsyncDisposableStack();
  const endpoint = stack.use(await ScriptedTokenEndpoint.start());
  const silent = stack.use(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const { origin } = new URL(endpoint.url);
  const test = {
    smtp_endpoint: `127.0.0.1:${silent.addr.port}`,
    smtp_security: "none",
    oauth_token_url: endpoint.url,
    authorization_url: `${origin}/authorize`,
    device_authorization_url: `${origin}/device`,
  };
  const cli = stack.use(await CliFixture.create({ providers: { test } }, accounts(count)));
  const { promise: late, resolve: answer } = Promise.withResolvers<void>();
  const owned = stack.move();
  return {
    endpoint,
    cli,
    late,
    answer,
    spawn: (args: readonly string[]) =>
      ChildProcess.spawn({
        command: [...programFromSource(), ...args, ...cli.options] as [string, ...string[]],
        env: { STATE_DIRECTORY: join(cli.directory, "state") },
      }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Sends the signal; resolves when the command has heard it. */
async function stop(child: ChildProcess, signal: Deno.Signal): Promise<void> {
  child.signal(signal);
  const isHeard = () => ownLines(child).some((line) => line.startsWith(`Stopped by ${signal}`)) || undefined;
  await child.waitForLine(isHeard, { what: "The line of the signal" });
}

/** What the command said on standard error, without what Deno says. */
function ownLines({ lines }: ChildProcess): string[] {
  return lines.stderr.filter((line) => line !== "" && !line.includes("Permissions in the config file"));
}

const token = { access_token: "t", token_type: "Bearer", expires_in: 3600 };

function rotated({ form }: TokenRequest) {
  return { ...token, refresh_token: `next after ${form.get("refresh_token")}` };
}
