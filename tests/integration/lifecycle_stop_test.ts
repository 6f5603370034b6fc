/** Every state in which a stop can come, and every way to stop: exit status, the client's last words, the provider's ledger. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { SmtpTestClient } from "../support/smtp_client.ts";
import { MAILBOX, Stage, type StageOptions } from "./lifecycle_stage.ts";

/** Ways to stop that drain. What they return resolves when whoever asked has heard that it is done. */
const stops: Record<string, (stage: Stage) => Promise<unknown>> = {
  SIGTERM: ({ daemon }) => Promise.resolve(daemon.signal("SIGTERM")),
  SIGINT: ({ daemon }) => Promise.resolve(daemon.signal("SIGINT")),
  "POST /admin/shutdown, twice,": async (stage) => {
    assert.equal(await requestShutdown(stage), 202);
    // The second one finds the daemon draining, or gone.
    await requestShutdown(stage).catch((error) => assert.ok(error instanceof TypeError));
  },
  "the command stop": async (stage) => {
    const { port } = stage.daemon.ready.admin;
    const output = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "-P=daemon", program, "stop", "--admin-port", String(port)],
      env: { STATE_DIRECTORY: `${stage.daemon.directory}/state` },
    }).output();
    assert.equal(output.code, 0, new TextDecoder().decode(output.stderr));
  },
};

const program = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

async function requestShutdown({ daemon }: Stage): Promise<number> {
  const token = (await Deno.readTextFile(`${daemon.directory}/state/admin_token`)).trim();
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${daemon.adminUrl}/admin/shutdown`, { method: "POST", headers });
  await response.body?.cancel();
  return response.status;
}

async function drainHasBegun({ daemon }: Stage): Promise<void> {
  await daemon.waitForLog(
    ({ message }) => message.startsWith("Draining because of"),
    "The begin of the drain",
  );
}

/** What is under way, and how it is to end. */
interface Scene {
  readonly options?: StageOptions;
  /** Brings it about. */
  arrange(stage: Stage): Promise<SmtpTestClient | undefined>;
  /** What happens once the drain has begun, and what the client reads. */
  afterStop(stage: Stage, client: SmtpTestClient): Promise<void>;
  readonly exitStatus: number;
  readonly accepted: readonly string[];
}

const message = (subject: string) => `Subject: ${subject}\r\n\r\nHello\r\n`;
const nothing = () => Promise.resolve();
const briefly = { args: ["--shutdown-timeout", "1"] };

const scenes: Record<string, Scene> = {
  "nothing is under way": {
    arrange: () => Promise.resolve(undefined),
    afterStop: nothing,
    exitStatus: 0,
    accepted: [],
  },
  "a session is idle": {
    arrange: (stage) => stage.client(),
    afterStop: (_, client) =>
      client.dialog`
      S: 421 4.3.2 *
      S: <end>
    `,
    exitStatus: 0,
    accepted: [],
  },
  "a session is between two messages": {
    async arrange(stage) {
      const client = await stage.client();
      assert.match(
        await client.send({ from: MAILBOX, to: ["a@example.net"], data: message("one") }),
        /^250 /,
      );
      return client;
    },
    afterStop: (_, client) =>
      client.dialog`
      S: 421 4.3.2 *
      S: <end>
    `,
    exitStatus: 0,
    accepted: ["one"],
  },
  "a transaction has no body yet": {
    async arrange(stage) {
      const client = await stage.client();
      await client.command(`MAIL FROM:<${MAILBOX}>`, "250 *");
      return client;
    },
    afterStop: (_, client) =>
      client.dialog`
      S: 421 4.3.2 *
      S: <end>
    `,
    exitStatus: 0,
    accepted: [],
  },
  "a body is under way": {
    async arrange(stage) {
      const client = await stage.clientInBody();
      await client.write("Subject: half\r\n\r\nHello");
      return client;
    },
    afterStop: (_, client) =>
      client.dialog`
      C: , world
      C: .
      S: 250 *
      S: 421 4.3.2 *
      S: <end>
    `,
    exitStatus: 0,
    accepted: ["half"],
  },
  "a body is under way and never ends": {
    options: briefly,
    async arrange(stage) {
      const client = await stage.clientInBody();
      await client.write("Subject: endless\r\n\r\nHello");
      return client;
    },
    afterStop: (_, client) => readTemporaryRefusal(client),
    exitStatus: 75,
    accepted: [],
  },
  "the provider keeps its final reply to itself": {
    options: briefly,
    async arrange(stage) {
      stage.upstream.always("finalDot", "hang");
      const client = await stage.clientInBody();
      await client.write(`${message("unanswered")}.\r\n`);
      await stage.upstream.waitFor(() => stage.upstream.passages("finalDot") > 0, "the final dot");
      return client;
    },
    afterStop: (_, client) => readTemporaryRefusal(client),
    exitStatus: 75,
    accepted: [],
  },
  "the provider is slow with its final reply": {
    async arrange(stage) {
      const gate = Promise.withResolvers<void>();
      gates.set(stage, gate.resolve);
      stage.upstream.always("finalDot", { until: gate.promise });
      const client = await stage.clientInBody();
      await client.write(`${message("slow")}.\r\n`);
      await stage.upstream.waitFor(() => stage.upstream.passages("finalDot") > 0, "the final dot");
      return client;
    },
    async afterStop(stage, client) {
      gates.get(stage)?.();
      await client.dialog`
        S: 250 *
        S: 421 4.3.2 *
        S: <end>
      `;
    },
    exitStatus: 0,
    accepted: ["slow"],
  },
  "a token is being fetched": {
    async arrange(stage) {
      stage.tokens.always("hang");
      const client = await stage.client();
      await client.writeln(`MAIL FROM:<${MAILBOX}>`);
      await stage.tokens.waitForRequests(1);
      return client;
    },
    afterStop: (_, client) => readTemporaryRefusal(client),
    exitStatus: 0,
    accepted: [],
  },
  "the provider doesn't answer the sign-in": {
    async arrange(stage) {
      stage.upstream.always("authResponse", "hang");
      const client = await stage.client();
      await client.writeln(`MAIL FROM:<${MAILBOX}>`);
      await stage.upstream.waitFor(() => stage.upstream.passages("authResponse") > 0, "the sign-in");
      return client;
    },
    afterStop: (_, client) => readTemporaryRefusal(client),
    exitStatus: 0,
    accepted: [],
  },
  "a pooled connection's QUIT is never answered": {
    async arrange(stage) {
      stage.upstream.always("QUIT", "hang");
      const client = await stage.client();
      await client.send({ from: MAILBOX, to: ["a@example.net"], data: message("pooled") });
      return client;
    },
    afterStop: (_, client) => readTemporaryRefusal(client),
    exitStatus: 0,
    accepted: ["pooled"],
  },
  "a reload is under way": {
    async arrange(stage) {
      const client = await stage.client();
      stage.daemon.signal("SIGHUP");
      return client;
    },
    afterStop: (_, client) => readTemporaryRefusal(client),
    exitStatus: 0,
    accepted: [],
  },
};

const gates = new WeakMap<Stage, () => void>();

/** Whatever is said, it is 4yz, and then the connection ends: the client still has its message. */
async function readTemporaryRefusal(client: SmtpTestClient): Promise<void> {
  let last = "";
  while (!last.startsWith("421")) {
    last = (await client.expect(/^4\d\d /)).at(-1) ?? "";
  }
  await client.expectEnd();
}

const ignore = Deno.build.os === "windows";

for (const [state, scene] of Object.entries(scenes)) {
  for (const [name, stop] of Object.entries(stops)) {
    Deno.test({
      name: `${name} while ${state} exits with ${scene.exitStatus}`,
      ignore,
      async fn() {
        await using stage = await Stage.set(scene.options);
        using client = await scene.arrange(stage);
        const stopped = stop(stage);
        await drainHasBegun(stage);
        if (client) await scene.afterStop(stage, client);
        assert.equal(await stage.exitStatus(), scene.exitStatus);
        await stopped;
        assert.deepEqual(stage.acceptedSubjects, scene.accepted);
        assertStory(stage, scene.exitStatus);
      },
    });
  }
}

/** The last line has each step, and names what was cut when something was. */
function assertStory({ daemon }: Stage, exitStatus: number): void {
  const last = daemon.log.at(-1);
  assert.match(last?.message ?? "", /^Stopped in /);
  assert.equal(last?.properties.exitStatus, exitStatus);
  const story = String(last?.properties.story).replaceAll(/[\d.]+ ms/g, "N ms");
  const steps = "listeners N ms, sessions N ms, pool N ms, tokens N ms, admin N ms; ";
  assert.ok(
    story.startsWith(steps + (exitStatus === 75 ? "cut 1: session 0001 of 127.0.0.1" : "nothing cut")),
    story,
  );
  assert.deepEqual(daemon.log.filter(({ level }) => level === "error" || level === "fatal"), []);
}

for (
  const [first, second, exitStatus] of [["SIGTERM", "SIGTERM", 143], ["SIGTERM", "SIGINT", 130]] as const
) {
  Deno.test({
    name:
      `${first}, then ${second}, ends at once with ${exitStatus}, and nothing that was not accepted is acknowledged`,
    ignore,
    async fn() {
      await using stage = await Stage.set();
      using client = await scenes["a body is under way"]!.arrange(stage);
      stage.daemon.signal(first);
      await drainHasBegun(stage);
      stage.daemon.signal(second);
      assert.equal(await stage.exitStatus(), exitStatus);
      await readToEnd(client!);
      assert.doesNotMatch(client!.transcript.split("354").at(-1)!, /S: 2/);
      assert.deepEqual(stage.acceptedSubjects, []);
    },
  });
}

for (
  const [state, at] of [["a body is under way", "mail data"], [
    "the provider keeps its final reply to itself",
    "final reply",
  ]] as const
) {
  Deno.test({
    name: `a second signal while ${state} names in the log what it cuts`,
    ignore,
    async fn() {
      await using stage = await Stage.set();
      using _client = await scenes[state]!.arrange(stage);
      stage.daemon.signal("SIGTERM");
      await drainHasBegun(stage);
      stage.daemon.signal("SIGTERM");
      assert.equal(await stage.exitStatus(), 143);
      const { message } = stage.daemon.log.at(-1)!;
      assert.match(
        message,
        new RegExp(`^Stopped in .*; cut 1: session 0001 of 127\\.0\\.0\\.1 .* in ${at}$`),
      );
      const isUnknown = stage.daemon.log.some(({ message }) => message.includes("fate unknown"));
      assert.equal(isUnknown, at === "final reply");
    },
  });
}

async function readToEnd(client: SmtpTestClient): Promise<void> {
  try {
    while (true) await client.readLine();
  } catch (error) {
    assert.match(String(error), /connection is (closed|reset)/);
  }
}

for (const delayMs of [0, 60, 120, 180, 240, 320]) {
  Deno.test({
    name: `SIGTERM ${delayMs} ms into the start-up ends it`,
    ignore,
    async fn() {
      await using stage = await Stage.set({ waitsUntilReady: false });
      // Not to wait for something, but to come at different points of the start-up.
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      const { code, signal } = await stage.daemon.stop();
      // Before the program has begun, the system ends it; after that, it ends itself.
      if (signal === null) assert.equal(code, 0);
      else assert.deepEqual([signal, stage.daemon.log], ["SIGTERM", []]);
    },
  });
}
