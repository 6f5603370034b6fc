import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError } from "../../../src/config/config_error.ts";
import type { LogSettings } from "../../../src/config/settings.ts";
import { openLog, type OpenLogOptions } from "../../../src/telemetry/log.ts";

const json: LogSettings = {
  level: "info",
  format: "json",
  maxFileOctets: 1_000_000,
  maxFiles: 3,
  hashAddresses: false,
};

/** Opens a log whose lines stay in memory. */
async function openCaptured(settings: Partial<LogSettings> = {}, options: OpenLogOptions = {}) {
  let written = "";
  const output = {
    write(octets: Uint8Array) {
      written += new TextDecoder().decode(octets);
      return Promise.resolve(octets.length);
    },
  };
  const log = await openLog({ ...json, ...settings }, { output, ...options });
  return {
    log,
    lines: () => written.split("\n").slice(0, -1),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  };
}

async function temporaryFolder() {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

Deno.test("openLog writes one JSON object a line with properties at its top", async () => {
  await using captured = await openCaptured();
  const session = captured.log.logger.getChild("session").with({ session: "s1" });
  session.info("Relayed for {account}", { account: "a@example.com", octets: 5, reply: "250 OK\r\nsecond" });
  await captured.log[Symbol.asyncDispose]();
  const [line, ...others] = captured.lines();
  assert.equal(others.length, 0);
  const { "@timestamp": timestamp, ...event } = JSON.parse(line ?? "");
  assert.match(timestamp, /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.deepEqual(event, {
    level: "INFO",
    message: "Relayed for a@example.com",
    logger: "session",
    session: "s1",
    account: "a@example.com",
    octets: 5,
    reply: "250 OK\r\nsecond",
  });
});

Deno.test("openLog writes the same JSON whether or not a property needs conversion", async () => {
  await using captured = await openCaptured();
  const { logger } = captured.log;
  const flat = { text: 'quoted "x" \x9b\x7f', count: 5, isTrue: true, nothing: undefined };
  logger.warn("Seen {text} {count}", flat);
  logger.warn("Seen {text} {count}", { ...flat, list: [] });
  await captured.log[Symbol.asyncDispose]();
  const [plain = "", converted = ""] = captured.lines().map((line) =>
    line.replace(/"@timestamp":"[^"]+",/, "")
  );
  assert.equal(plain, converted.replace(',"list":[]', ""));
  assert.match(plain, /^\{"level":"WARN","message":.*\\u009b\\u007f/);
});

for (const format of ["json", "text"] as const) {
  Deno.test(`Log.writerOf writes ${format} lines as the logger does, and none below the level`, async () => {
    await using captured = await openCaptured({ format });
    const { log } = captured;
    const properties = {
      account: "a@example.com",
      octets: 5,
      reply: "250 two words",
      password: "s3cret",
      none: undefined,
    };
    const write = log.writerOf("relay");
    write("debug", "Not wanted", {});
    write("warning", "Relayed for {account}: {octets} octets, {reply}{none}", properties);
    log.logger.getChild("relay").warn("Relayed for {account}: {octets} octets, {reply}{none}", properties);
    await log[Symbol.asyncDispose]();
    write("warning", "Lost", {});
    const [line, expected, ...others] = captured.lines().map((text) =>
      text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, "T")
    );
    assert.equal(line, expected);
    assert.match(line!, /two words/);
    assert.doesNotMatch(line!, /s3cret/);
    assert.deepEqual(others, []);
  });
}

Deno.test("openLog writes text on one line whatever a peer sends", async () => {
  await using captured = await openCaptured({ format: "text" });
  const error = new Error("Cannot dial", { cause: new Error("refused") });
  captured.log.logger.warn("Refused: {reply}", {
    reply: "5xx\r\n2026 INFO forged\x1b[2J",
    account: "a@b.c",
    error,
  });
  captured.log.logger.info("Seen", {
    text: "two words \x9b\x7f\u202e",
    list: [{ port: 25 }],
    nothing: undefined,
  });
  await captured.log[Symbol.asyncDispose]();
  const lines = captured.lines().map((line) => line.replace(/^\S+Z /, ""));
  assert.deepEqual(lines, [
    'WARNING Refused: 5xx\\r\\n2026 INFO forged\\x1b[2J account=a@b.c error="Cannot dial: refused"',
    'INFO    Seen text="two words \\u009b\\u007f\\u202e" list=[{"port":25}]',
  ]);
});

Deno.test("openLog paints lines for a terminal only", async () => {
  await using captured = await openCaptured({ format: "text" }, { isTerminal: true });
  captured.log.logger.getChild("pool").info("Dialled", { account: "a@b.c" });
  await captured.log[Symbol.asyncDispose]();
  const [line = ""] = captured.lines();
  assert.equal(line.includes("\x1b["), !Deno.noColor);
  const plain = line.split("\x1b").map((part) => part.replace(/^\[[\d;]*m/, "")).join("");
  assert.match(plain, /^\d\d:\d\d:\d\d\.\d+\s+info\s+pool\s+Dialled account=a@b\.c$/);
});

const secrets: readonly [kind: string, text: string, secret: string][] = [
  ["a bearer token", "user=a\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhdHRh", "vF9dft4qmTc2Nvb3RlckBhdHRh"],
  ["a form body", "grant_type=refresh_token&refresh_token=0.ARoA6-secret&client_secret=s3cr3t", "s3cr3t"],
  ["a JSON body", '{"access_token":"opaque-value-1","expires_in":3600}', "opaque-value-1"],
  ["a token in a text", "refresh_token: 0.ARoAopaque is old", "0.ARoAopaque"],
  ["a password that is a word", "password: swordfish is wrong", "swordfish"],
  ["a JSON body with a word", '{"client_secret": "is secret"}', "is secret"],
  ["a JWT", "token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln was refused", "eyJzdWIiOiJhIn0"],
  ["a Google access token", "ya29.a0AfH6SMBx-abcdefgh", "a0AfH6SMBx"],
  ["a Google refresh token", "1//0gabcdefghijklmnopqrstuvwxyz", "0gabcdefghijklmnop"],
  ["a Google client secret", "GOCSPX-abcdefghijkl", "abcdefghijkl"],
  [
    "an XOAUTH2 response",
    btoa("user=a@example.com\x01auth=Bearer secret-token\x01\x01"),
    "dXNlcj1hQGV4YW1wbGUuY29t",
  ],
  ["AUTH PLAIN", "C: AUTH PLAIN AGFAYi5jAHBhc3N3b3Jk", "AGFAYi5jAHBhc3N3b3Jk"],
];

for (const [kind, text, secret] of secrets) {
  Deno.test(`openLog hides ${kind} wherever it stands`, async () => {
    for (const format of ["json", "text"] as const) {
      await using captured = await openCaptured({ format });
      const { logger } = captured.log;
      logger.info("Seen {text}", { text });
      logger.info("Seen", { nested: { list: [text] } });
      logger.error("Failed", new Error("outer", { cause: new Error(text) }));
      await captured.log[Symbol.asyncDispose]();
      assert.equal(captured.lines().length, 3);
      for (const line of captured.lines()) {
        assert.ok(!line.includes(secret), line);
        assert.ok(line.includes("[REDACTED]"), line);
      }
    }
  });
}

Deno.test("openLog leaves the text of findings about secrets as it is", async () => {
  const findings = [
    "accounts[0].refresh_token: can't be decrypted",
    "accounts[0].password: must be a string",
  ];
  await using captured = await openCaptured({ format: "text" });
  for (const finding of findings) captured.log.logger.info("Seen {finding}", { finding });
  await captured.log[Symbol.asyncDispose]();
  for (const [index, line] of captured.lines().entries()) assert.ok(line.includes(findings[index]!), line);
  assert.equal(captured.lines().length, findings.length);
});

Deno.test("openLog hides properties whose name says that they are secret", async () => {
  await using captured = await openCaptured();
  const properties = {
    accessToken: "v1",
    refresh_token: "v2",
    clientSecret: "v3",
    password: "v4",
    inner: { token: "v5" },
  };
  captured.log.logger.info("Seen", { ...properties, code: 250, tokenState: "valid" });
  await captured.log[Symbol.asyncDispose]();
  const [line = ""] = captured.lines();
  assert.doesNotMatch(line, /v[1-5]/);
  const event = JSON.parse(line);
  assert.equal(event.code, 250);
  assert.equal(event.tokenState, "valid");
});

Deno.test("openLog puts digests for addresses, the same for the same address", async () => {
  await using captured = await openCaptured({ hashAddresses: true }, { addressKey: new Uint8Array(32) });
  captured.log.logger.info("For {account}: {reply}", {
    account: "Bob@Example.com",
    reply: "550 <bob@example.com> unknown",
  });
  await captured.log[Symbol.asyncDispose]();
  const [line = ""] = captured.lines();
  assert.doesNotMatch(line, /bob|example/i);
  const digests = line.match(/addr-[0-9a-f]{12}/g) ?? [];
  assert.equal(digests.length, 4);
  assert.equal(new Set(digests).size, 1);
});

Deno.test("Log takes another level at once", async () => {
  await using captured = await openCaptured();
  const { log } = captured;
  log.logger.debug("before");
  await log.reconfigure({ ...json, level: "debug" });
  log.logger.debug("between");
  await log.reconfigure({ ...json, level: "error" });
  log.logger.warn("after");
  await log[Symbol.asyncDispose]();
  assert.deepEqual(captured.lines().map((line) => JSON.parse(line).message), ["between"]);
});

Deno.test("Log lets go of a file that was moved away, and loses no line", async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, "proxy.log");
  await using log = await openLog({ ...json, file });
  log.logger.info("first");
  await log.reconfigure({ ...json, file });
  await Deno.rename(file, `${file}.moved`);
  const reopened = log.reconfigure({ ...json, file });
  log.logger.info("second");
  await reopened;
  await log[Symbol.asyncDispose]();
  assert.match(await Deno.readTextFile(`${file}.moved`), /"first"/);
  assert.match(await Deno.readTextFile(file), /"second"/);
});

Deno.test("Log rotates its file by size and keeps a bounded number", async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, "proxy.log");
  const settings = { ...json, file, maxFileOctets: 2_000, maxFiles: 2 };
  await using log = await openLog(settings);
  for (let number = 0; number < 60; number++) {
    log.logger.info("line", { number, padding: "x".repeat(50) });
    await log.reconfigure(settings);
  }
  await log[Symbol.asyncDispose]();
  const names = [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort();
  assert.deepEqual(names, ["proxy.log", "proxy.log.1", "proxy.log.2"]);
  // A file may hold one line more: the one that was still to be written when it was opened again.
  for (const name of names) assert.ok((await Deno.stat(join(folder.path, name))).size < 2_200);
  assert.match(await Deno.readTextFile(file), /"number":59/);
});

Deno.test({
  name: "Log whose file can't be put aside says so in it and goes on",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "proxy.log");
    await Deno.mkdir(join(`${file}.1`, "in the way"), { recursive: true });
    await using log = await openLog({ ...json, file, maxFileOctets: 2_000, maxFiles: 1 });
    for (const number of [1, 2]) {
      log.logger.info("line", { number, padding: "x".repeat(1_500) });
      await fileHas(file, number === 1 ? /"line"/ : /sink flush failed for .*rename/);
    }
    for (const number of [3, 4, 5]) {
      log.logger.info("later", { number, padding: "x".repeat(1_500) });
      await fileHas(file, new RegExp(`"number":${number}`));
    }
  },
});

Deno.test({
  name: "Log follows when its file is removed or moved, long before it is full",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "proxy.log");
    await using log = await openLog({ ...json, file });
    for (const bring of [() => Deno.remove(file), () => Deno.rename(file, `${file}.moved`)]) {
      log.logger.info("before");
      await fileHas(file, /"before"/);
      await bring();
      log.logger.info("after");
      await fileHas(file, /"after"/);
    }
  },
});

Deno.test({
  name: "Log outlives a disk that is full, and a file that can't be put aside there",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "proxy.log");
    await Deno.mkdir(join(`${file}.1`, "in the way"), { recursive: true });
    await using log = await openLog({ ...json, file, maxFileOctets: 100, maxFiles: 1 });
    for (const number of [1, 2]) {
      log.logger.info("line", { number, padding: "x".repeat(60) });
      await fileHas(file, new RegExp(`"number":${number}|sink flush failed`));
    }
    await Deno.remove(file);
    await Deno.symlink("/dev/full", file);
    for (const number of [3, 4]) {
      log.logger.info("lost", { number });
      await log.reconfigure({ ...json, file });
    }
    await Deno.remove(file);
    log.logger.info("later");
    await fileHas(file, /"later"/);
  },
});

/** Resolves when a file has something in it. */
async function fileHas(file: string, pattern: RegExp): Promise<void> {
  for (let looks = 0; looks < 4_000; looks++) {
    const text = await Deno.readTextFile(file).catch(() => "");
    if (pattern.test(text)) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail(`${file} never had ${pattern}`);
}

Deno.test("Log keeps going as before when a new file can't be opened", async () => {
  await using folder = await temporaryFolder();
  await using captured = await openCaptured();
  const { log } = captured;
  await assert.rejects(
    log.reconfigure({ ...json, level: "debug", file: join(folder.path, "no", "proxy.log") }),
    ConfigError,
  );
  log.logger.debug("not wanted");
  log.logger.info("still here");
  await log[Symbol.asyncDispose]();
  assert.deepEqual(captured.lines().map((line) => JSON.parse(line).message), ["still here"]);
});

Deno.test("openLog refuses a file that can't be opened", async () => {
  await using folder = await temporaryFolder();
  await assert.rejects(openLog({ ...json, file: folder.path }), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.findings[0]?.file, folder.path);
    return true;
  });
});

Deno.test("openLog keeps two open logs apart", async () => {
  await using one = await openCaptured();
  await using two = await openCaptured({ level: "debug" });
  one.log.logger.debug("to one");
  two.log.logger.debug("to two");
  await one.log[Symbol.asyncDispose]();
  await one.log[Symbol.asyncDispose]();
  one.log.logger.info("lost");
  two.log.logger.info("to two again");
  await two.log[Symbol.asyncDispose]();
  assert.deepEqual(one.lines(), []);
  assert.deepEqual(two.lines().map((line) => JSON.parse(line).message), ["to two", "to two again"]);
});
