import assert from "node:assert/strict";
import { ConfigError } from "../../../src/config/config_error.ts";
import { loadSettings, type LoadSettingsOptions } from "../../../src/config/load_settings.ts";
import type { Platform } from "../../../src/config/platform_places.ts";

const linux: Platform = {
  os: "linux",
  isRoot: true,
  cwd: "/work",
  hostname: "mta1",
  stderrIsTerminal: false,
};

/** Loads settings from files that exist only here. */
function load(files: Record<string, unknown>, rest: Partial<LoadSettingsOptions> = {}) {
  const readFile = (path: string) => {
    const content = files[path];
    if (content === undefined) return Promise.reject(new Deno.errors.NotFound(path));
    return Promise.resolve(typeof content === "string" ? content : JSON.stringify(content));
  };
  return loadSettings({ options: {}, env: {}, platform: linux, readFile, ...rest });
}

async function findingsOf(attempt: Promise<unknown>) {
  const error = await attempt.then(() => undefined, (reason: unknown) => reason);
  assert.ok(error instanceof ConfigError);
  assert.equal(error.code, "CONFIG");
  return error.findings;
}

Deno.test("loadSettings has a default for everything", async () => {
  const { settings, warnings } = await load({});
  assert.deepEqual(warnings, []);
  assert.equal(settings.configFile, undefined);
  assert.equal(settings.accountsFile, "/work/accounts.json");
  assert.equal(settings.stateDirectory, "/var/lib/xoauth2-proxy");
  assert.equal(settings.tokenTimeoutMs, 10_000);
  assert.equal(settings.shutdownTimeoutMs, 10_000);
  const [listener, ...others] = settings.listeners;
  assert.equal(others.length, 0);
  assert.equal(listener?.hostname, "127.0.0.1");
  assert.equal(listener?.port, 2525);
  assert.equal(listener?.requireTlsForAuth, false);
  assert.deepEqual(settings.admin, { hostname: "127.0.0.1", port: 9090, allowedHosts: [] });
  assert.equal(settings.submission.hostname, "mta1");
  assert.equal(settings.log.format, "json");
});

Deno.test("loadSettings takes option over environment over file", async () => {
  const files = { "/work/config.json": { admin: { port: 1, host: "::1" }, log: { level: "debug" } } };
  const { settings } = await load(files, {
    options: { adminPort: 3 },
    env: { XOAUTH2_ADMIN_PORT: "2", XOAUTH2_LOG_LEVEL: "error", XOAUTH2_DRY_RUN: "yes" },
  });
  assert.equal(settings.admin.port, 3);
  assert.equal(settings.admin.hostname, "::1");
  assert.equal(settings.log.level, "error");
  assert.equal(settings.submission.dryRun, true);
});

Deno.test("loadSettings moves the first listener only when told host and port", async () => {
  const files = { "/work/config.json": { listeners: [{ port: 25 }, { port: 587 }] } };
  const { settings } = await load(files, { options: { host: "0.0.0.0", port: 2525 } });
  const places = settings.listeners.map(({ hostname, port }) => `${hostname}:${port}`);
  assert.deepEqual(places, ["0.0.0.0:2525", "127.0.0.1:587"]);
});

Deno.test("loadSettings names variables that it can't read", async () => {
  const env = {
    XOAUTH2_PORT: "70000",
    XOAUTH2_ADMIN_ONLY: "maybe",
    XOAUTH2_LOG_FORMAT: "xml",
    XOAUTH2_HOST: "",
  };
  const findings = await findingsOf(load({}, { env }));
  assert.deepEqual(findings.map(({ file, path }) => `${file} ${path}`), [
    "environment XOAUTH2_PORT",
    "environment XOAUTH2_ADMIN_ONLY",
    "environment XOAUTH2_LOG_FORMAT",
  ]);
});

Deno.test("loadSettings refuses a config file that is named and missing", async () => {
  const findings = await findingsOf(load({}, { options: { config: "conf/mine.json" } }));
  assert.equal(findings[0]?.file, "/work/conf/mine.json");
  assert.equal(findings[0]?.message, "does not exist");
});

Deno.test("loadSettings refuses a config file that it may not read", async () => {
  const readFile = () => Promise.reject(new Deno.errors.PermissionDenied("secret detail"));
  const findings = await findingsOf(load({}, { readFile }));
  assert.equal(findings[0]?.message, "can't be read: PermissionDenied");
});

Deno.test("loadSettings resolves paths by the folder of the file that names them", async () => {
  const config = {
    listeners: [{ security: "tls", certificate_file: "tls/chain.pem", private_key_file: "/keys/key.pem" }],
    admin: { token_file: "token" },
    log: { file: "log/proxy.log" },
    providers: { gmail: { ca_file: "ca.pem" } },
  };
  const files = { "/etc/xoauth2-proxy/config.json": config, "/etc/xoauth2-proxy/accounts.json": [] };
  const { settings } = await load(files);
  assert.equal(settings.configFile, "/etc/xoauth2-proxy/config.json");
  assert.equal(settings.accountsFile, "/etc/xoauth2-proxy/accounts.json");
  assert.equal(settings.listeners[0]?.certificateFile, "/etc/xoauth2-proxy/tls/chain.pem");
  assert.equal(settings.listeners[0]?.privateKeyFile, "/keys/key.pem");
  assert.equal(settings.listeners[0]?.requireTlsForAuth, true);
  assert.equal(settings.admin.tokenFile, "/etc/xoauth2-proxy/token");
  assert.equal(settings.log.file, "/etc/xoauth2-proxy/log/proxy.log");
  assert.equal(settings.providers.get("google")?.caFile, "/etc/xoauth2-proxy/ca.pem");
});

Deno.test("loadSettings takes options' paths from the working folder", async () => {
  const options = { accounts: "mine.json", logFile: "proxy.log" };
  const { settings } = await load({ "/etc/xoauth2-proxy/config.json": {} }, { options });
  assert.equal(settings.accountsFile, "/work/mine.json");
  assert.equal(settings.log.file, "/work/proxy.log");
});

Deno.test("loadSettings puts a new accounts file beside config.json or into the state folder", async () => {
  const env = { STATE_DIRECTORY: "/var/lib/private/proxy" };
  const beside = await load({ "/etc/xoauth2-proxy/config.json": {} }, { env });
  assert.equal(beside.settings.accountsFile, "/etc/xoauth2-proxy/accounts.json");
  const alone = await load({}, { env });
  assert.equal(alone.settings.accountsFile, "/var/lib/private/proxy/accounts.json");
  assert.equal(alone.settings.stateDirectory, "/var/lib/private/proxy");
});

Deno.test("loadSettings logs text on a terminal but JSON into a file", async () => {
  const platform = { ...linux, stderrIsTerminal: true };
  assert.equal((await load({}, { platform })).settings.log.format, "text");
  const toFile = await load({}, { platform, options: { logFile: "proxy.log" } });
  assert.equal(toFile.settings.log.format, "json");
});

Deno.test("loadSettings greets as localhost when the machine's name is no domain", async () => {
  const { settings } = await load({}, { platform: { ...linux, hostname: "bob's mac" } });
  assert.equal(settings.submission.hostname, "localhost");
});

Deno.test("loadSettings warns of unknown keys with the key that was meant", async () => {
  const config = { "_comment": "mine", listeners: [{ prot: 25 }], admin: { Port: 1 }, colour: true };
  const { warnings } = await load({ "/work/config.json": config });
  assert.deepEqual(warnings.map(({ path, hint }) => [path, hint]), [
    ["listeners[0].prot", 'did you mean "port"?'],
    ["admin.Port", 'did you mean "port"?'],
    ["colour", "remove it, or begin its name with _ if it is a comment"],
  ]);
});

Deno.test("loadSettings reads the Python program's file with one notice", async () => {
  const config = {
    global: {
      concurrency: { global_concurrency_limit: 100 },
      timeouts: { oauth2_timeout: 7, smtp_command_timeout: 300 },
      smtp: { server_hostname: "relay", max_recipients: 1000 },
      logging: { level: "INFO" },
    },
    providers: {
      _description: "defaults",
      outlook: {
        smtp_endpoint: "smtp.office365.com:587",
        max_concurrent_messages: 150,
        connection_pool: {
          max_connections_per_account: 50,
          prewarm_min_connections: 5,
          connection_max_age_seconds: 240,
        },
        rate_limiting: { enabled: true },
        circuit_breaker: { enabled: true, half_open_max_calls: 2 },
      },
      default: { max_concurrent_messages: 30 },
    },
    features: {},
  };
  const { settings, warnings } = await load({ "/work/config.json": config });
  assert.equal(warnings.length, 1);
  assert.match(
    warnings[0]?.message ?? "",
    /ProxyPowermtaXOAUTH2 that have no effect here: global\.concurrency, /,
  );
  assert.equal(settings.tokenTimeoutMs, 7_000);
  assert.equal(settings.submission.hostname, "relay");
  const outlook = settings.providers.get("outlook");
  assert.equal(outlook?.limits.connections, 3);
  assert.equal(outlook?.pool.maxTransactions, 150);
  assert.equal(outlook?.pool.connectionMaxAgeMs, 240_000);
});

Deno.test("loadSettings refuses a link to a config.json that isn't there", {
  ignore: Deno.build.os === "windows",
}, async () => {
  const cwd = await Deno.makeTempDir();
  try {
    await Deno.symlink("nowhere.json", `${cwd}/config.json`);
    const findings = await findingsOf(loadSettings({ options: {}, env: {}, platform: { ...linux, cwd } }));
    assert.deepEqual(findings.map(({ file, message }) => [file, message]), [
      [`${cwd}/config.json`, "is a link to a file that isn't there"],
    ]);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});

for (const host of ["0.0.0.0", "::", "192.0.2.1"]) {
  Deno.test(`loadSettings warns of an admin API at ${host}, wherever that is said`, async () => {
    const file = await load({ "/work/config.json": { admin: { host } } });
    const option = await load({}, { options: { adminHost: host } });
    for (const { warnings } of [file, option]) {
      assert.deepEqual(warnings.map(({ path }) => path), ["admin.host"]);
      assert.match(warnings[0]!.message, /other machines reach the admin API/);
    }
  });
}

const greetings: readonly [name: string, isGood: boolean][] = [
  ["mail.example.com", true],
  ["mta_1", true],
  ["[192.0.2.1]", true],
  ["[IPv6:2001:db8::1]", true],
  ["a\r\nNOOP", false],
  ["a b", false],
  ["m\u00fcller.example", false],
  ["-a", false],
  ["a".repeat(256), false],
];

for (const [hostname, isGood] of greetings) {
  Deno.test(`loadSettings ${isGood ? "takes" : "refuses"} ${JSON.stringify(hostname)} to greet with`, async () => {
    const loaded = load({ "/work/config.json": { global: { smtp: { hostname } } } });
    if (isGood) assert.equal((await loaded).settings.submission.hostname, hostname);
    else assert.deepEqual((await findingsOf(loaded)).map(({ path }) => path), ["global.smtp.hostname"]);
  });
}
