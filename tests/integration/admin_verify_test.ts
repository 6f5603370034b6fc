import assert from "node:assert/strict";
import { join } from "node:path";
import { ScriptedUpstream } from "../support/scripted_upstream.ts";
import type { ScriptedTokenEndpoint, TokenAnswer } from "../support/token_endpoint.ts";
import { AdminFixture, newAccount } from "./admin_fixture.ts";

const path = "/admin/accounts/a@example.com/verify";

/** A server whose provider has a mail server of the test's own. */
async function startWithUpstream(
  options: Parameters<typeof ScriptedUpstream.start>[0] = {},
  account: Readonly<Record<string, unknown>> = {},
) {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await ScriptedUpstream.start(options));
  const directory = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const caFile = join(directory, "ca.pem");
  await Deno.writeTextFile(caFile, upstream.caCertificate);
  const provider = {
    smtp_endpoint: `127.0.0.1:${upstream.endpoint.port}`,
    smtp_security: options.security ?? "starttls",
    ca_file: caFile,
  };
  const accounts = [newAccount("a@example.com", account)];
  const admin = stack.use(await AdminFixture.start({ accounts, provider }));
  const owned = stack.move();
  return { upstream, admin, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function jwt(claims: Record<string, unknown>): string {
  const encode = (value: unknown) => btoa(JSON.stringify(value)).replaceAll("=", "");
  return `${encode({ alg: "RS256", typ: "JWT" })}.${encode(claims)}.c2lnbmF0dXJl`;
}

function grants(accessToken: string, more: Record<string, unknown> = {}): TokenAnswer {
  return { body: { access_token: accessToken, token_type: "Bearer", expires_in: 3600, ...more } };
}

Deno.test("verify goes from the token to the sign-in, step by step", async () => {
  await using lab = await startWithUpstream();
  lab.admin.tokenEndpoint.once(grants("t0k3n-secret", { scope: "send" }));
  const { status, body, text } = await lab.admin.call("POST", path);
  assert.equal(status, 200, text);
  assert.equal(body.success, true);
  assert.deepEqual(body.steps.map(({ name, ok }: { name: string; ok: boolean }) => [name, ok]), [
    ["token", true],
    ["scope", true],
    ["connect", true],
    ["greeting", true],
    ["ehlo", true],
    ["starttls", true],
    ["tls", true],
    ["ehlo", true],
    ["auth", true],
  ]);
  assert.equal(body.steps[1].detail, "scope send");
  assert.ok(!text.includes("t0k3n"));
  await lab.upstream.waitFor(() => lab.upstream.openConnections === 0, "QUIT");
  assert.equal(lab.upstream.passages("MAIL"), 0);
});

Deno.test("verify keeps a rotated refresh token and makes it live", async () => {
  await using lab = await startWithUpstream();
  lab.admin.tokenEndpoint.once(grants("t", { refresh_token: "rotated" }));
  const { body } = await lab.admin.call("POST", path);
  assert.match(body.steps[0].detail, /rotated and kept/);
  assert.equal((await lab.admin.fileRecords())[0].refresh_token, "rotated");
  lab.admin.tokenEndpoint.once(({ form }) => {
    assert.equal(form.get("refresh_token"), "rotated");
    return grants("t");
  });
  await lab.admin.services.mailboxes.get("a@example.com")!.tokens.get(new AbortController().signal);
});

Deno.test("verify waits for a refresh under way, whose answer may bring the next refresh token", async () => {
  await using lab = await startWithUpstream();
  const { tokenEndpoint, services } = lab.admin;
  const answer = Promise.withResolvers<void>();
  tokenEndpoint.once({ until: answer.promise, then: grants("t", { refresh_token: "rotated" }) });
  const refreshed = services.mailboxes.get("a@example.com")!.tokens.get(new AbortController().signal);
  await tokenEndpoint.waitForRequests(1);
  const verified = lab.admin.call("POST", path);
  // Connections are served in order, so the verification is under way when this one is answered.
  await lab.admin.call("GET", "/admin/accounts");
  tokenEndpoint.always(({ form }) =>
    form.get("refresh_token") === "rotated" ? grants("t2") : { status: 400, body: { error: "invalid_grant" } }
  );
  answer.resolve();
  await refreshed;
  const { status, text } = await verified;
  assert.equal(status, 200, text);
});

/** Refresh tokens R0, R1, … of which each is good for one request; gives those that were sent. */
function rotateEachTime(tokenEndpoint: ScriptedTokenEndpoint): string[] {
  const sent: string[] = [];
  tokenEndpoint.always(({ form }) => {
    sent.push(form.get("refresh_token")!);
    if (sent.at(-1) !== `R${sent.length - 1}`) return { status: 400, body: { error: "invalid_grant" } };
    return grants("t", { refresh_token: `R${sent.length}` });
  });
  return sent;
}

Deno.test("verify asks with the refresh token that could not be written, not with the spent one on disk", async () => {
  await using lab = await startWithUpstream({}, { refresh_token: "R0" });
  const { tokenEndpoint, services: { settings, mailboxes } } = lab.admin;
  const sent = rotateEachTime(tokenEndpoint);
  await Deno.chmod(settings.accountsFile, 0o400);
  await Deno.writeTextFile(settings.stateDirectory, "no folder");
  const { tokens } = mailboxes.get("a@example.com")!;
  await assert.rejects(tokens.get(new AbortController().signal), /could not be written/);
  for (let count = 0; count < 2; count++) await lab.admin.call("POST", path);
  assert.deepEqual(sent, ["R0", "R1", "R2"]);
});

Deno.test("verify that waits while its account is renamed asks with the newest refresh token", async () => {
  await using lab = await startWithUpstream({}, { refresh_token: "R0" });
  const { tokenEndpoint, services } = lab.admin;
  const answer = Promise.withResolvers<void>();
  tokenEndpoint.once({ until: answer.promise, then: grants("t", { refresh_token: "rotated" }) });
  const refreshed = services.mailboxes.get("a@example.com")!.tokens.get(new AbortController().signal);
  await tokenEndpoint.waitForRequests(1);
  const verified = lab.admin.call("POST", path);
  const patched = await lab.admin.call("PATCH", "/admin/accounts/a@example.com", {
    body: { email: "b@example.com" },
  });
  assert.equal(patched.status, 200, patched.text);
  tokenEndpoint.always(({ form }) =>
    form.get("refresh_token") === "rotated" ? grants("t2") : { status: 400, body: { error: "invalid_grant" } }
  );
  answer.resolve();
  await refreshed;
  assert.match((await verified).body.steps[0].detail, /^access token/);
});

Deno.test("a rotated refresh token that verify can't write is used, and written later", async () => {
  await using lab = await startWithUpstream();
  const { tokenEndpoint, services } = lab.admin;
  tokenEndpoint.once(grants("t", { refresh_token: "rotated" }));
  await Deno.chmod(services.settings.accountsFile, 0o400);
  await Deno.writeTextFile(services.settings.stateDirectory, "no folder");
  const { status } = await lab.admin.call("POST", path);
  assert.equal(status, 500);
  await Deno.chmod(services.settings.accountsFile, 0o600);
  tokenEndpoint.once(({ form }) => {
    assert.equal(form.get("refresh_token"), "rotated");
    return grants("t");
  });
  await services.mailboxes.get("a@example.com")!.tokens.get(new AbortController().signal);
  assert.equal((await lab.admin.fileRecords())[0].refresh_token, "rotated");
});

Deno.test("verify keeps a rotated refresh token although nothing else of the answer can be used", async () => {
  await using lab = await startWithUpstream();
  lab.admin.tokenEndpoint.once(grants("t", { refresh_token: "rotated", expires_in: "soon" }));
  const { body } = await lab.admin.call("POST", path);
  assert.equal(body.success, false);
  assert.equal((await lab.admin.fileRecords())[0].refresh_token, "rotated");
});

Deno.test("verify of an account that needed authorization lets it send again", async () => {
  await using lab = await startWithUpstream();
  const { store, tokens } = lab.admin.services;
  const manager = tokens.for(store.get("a@example.com")!);
  lab.admin.tokenEndpoint.once({ status: 400, body: { error: "invalid_grant" } });
  await assert.rejects(manager.get(new AbortController().signal), { code: "NEEDS_AUTHORIZATION" });
  assert.equal((await lab.admin.call("POST", path)).status, 200);
  assert.notEqual(manager.state.state, "needs_authorization");
});

const tokenFailures: readonly [name: string, answer: TokenAnswer, status: number, error: RegExp][] = [
  ["a revoked grant", { status: 400, body: { error: "invalid_grant" } }, 422, /Authorize the account again/],
  [
    "a wrong secret",
    { status: 401, body: { error: "invalid_client" } },
    422,
    /Check client_id and client_secret/,
  ],
  [
    "an expired Entra secret",
    { status: 401, body: { error: "invalid_client", error_codes: [7000222] } },
    422,
    /AADSTS7000222.*Create a new client secret/,
  ],
  ["a faulty endpoint", { status: 503, body: "oops" }, 502, /503.*fault of its own/],
  ["a login page", { status: 200, body: "<html>" }, 502, /web proxy or login page/],
  ["a hang-up", "reset", 502, /can't be reached/],
];

for (const [name, answer, status, error] of tokenFailures) {
  Deno.test(`verify names cause and remedy for ${name}`, async () => {
    await using lab = await startWithUpstream();
    lab.admin.tokenEndpoint.once(answer);
    const { status: actual, body } = await lab.admin.call("POST", path);
    assert.equal(actual, status);
    assert.match(body.error, error);
    assert.deepEqual(body.steps.map(({ name, ok }: { name: string; ok: boolean }) => [name, ok]), [
      ["token", false],
    ]);
    assert.equal(lab.upstream.connections.length, 0);
  });
}

const smtpFailures: readonly [
  name: string,
  script: (upstream: ScriptedUpstream) => void,
  status: number,
  step: string,
  error: RegExp,
][] = [
  [
    "SMTP AUTH switched off",
    (upstream) =>
      upstream.always("authResponse", {
        reply:
          "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
      }),
    422,
    "auth",
    /Set-CASMailbox/,
  ],
  [
    "a refused token",
    (upstream) => upstream.always("authResponse", { reply: "535 5.7.3 Authentication unsuccessful" }),
    422,
    "auth",
    /check sasl_user, the scope/i,
  ],
  [
    "too many sign-ins",
    (upstream) => upstream.always("authResponse", { reply: "454 4.7.0 Too many login attempts" }),
    502,
    "auth",
    /too many sign-ins/,
  ],
  ["a hang-up", (upstream) => upstream.always("greeting", "close"), 502, "greeting", /does not greet/],
  [
    "no STARTTLS",
    (upstream) => upstream.always("STARTTLS", { reply: "502 5.5.1 no" }),
    422,
    "starttls",
    /smtp_security/,
  ],
  [
    "a foreign certificate",
    (upstream) => {
      upstream.certificate = upstream.certificates.untrusted;
    },
    502,
    "tls",
    /ca_file/,
  ],
  ["a closed port", (upstream) => upstream.refuseConnections(), 502, "connect", /firewall/],
];

for (const [name, script, status, step, error] of smtpFailures) {
  Deno.test(`verify names the step, the cause and the remedy for ${name}`, async () => {
    await using lab = await startWithUpstream();
    script(lab.upstream);
    const answer = await lab.admin.call("POST", path);
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.body.success, false);
    assert.match(answer.body.error, error);
    const last = answer.body.steps.at(-1);
    assert.deepEqual([last.name, last.ok], [step, false]);
    for (const once of ["token", "connect", step]) {
      const told = answer.body.steps.filter(({ name }: { name: string }) => name === once);
      assert.equal(told.length, 1, once);
    }
  });
}

Deno.test("verify shows scope and audience of a JWT, and names a wrong one when the sign-in is refused", async () => {
  const scope = "https://outlook.office.com/SMTP.Send offline_access";
  await using lab = await startWithUpstream({}, { scope });
  const token = jwt({ aud: "https://graph.microsoft.com", scp: "Mail.Send" });
  lab.admin.tokenEndpoint.always(grants(token));
  lab.upstream.always("authResponse", { reply: "535 5.7.3 Authentication unsuccessful" });
  const { body, text } = await lab.admin.call("POST", path);
  assert.match(body.steps[1].detail, /audience https:\/\/graph\.microsoft\.com/);
  assert.match(body.remedy, /Set scope to https:\/\/outlook\.office\.com\/SMTP\.Send/);
  assert.ok(!text.includes("c2lnbmF0dXJl"));
});

Deno.test("a stop lets a verification under way keep the refresh token that the provider has rotated", async () => {
  await using admin = await AdminFixture.start({ accounts: [newAccount("a@example.com")] });
  const rotation = Promise.withResolvers<void>();
  const rotated = grants("t", { refresh_token: "rotated" });
  admin.tokenEndpoint.once({ until: rotation.promise, then: rotated });
  const verified = admin.call("POST", path);
  await admin.tokenEndpoint.waitForRequests(1);
  const closed = admin.server.close();
  rotation.resolve();
  await Promise.all([verified, closed]);
  assert.equal((await admin.fileRecords())[0].refresh_token, "rotated");
});

Deno.test("a stop gives up a verification whose answer doesn't come", async () => {
  await using admin = await AdminFixture.start({ accounts: [newAccount("a@example.com")] });
  admin.tokenEndpoint.once("hang");
  const verified = admin.call("POST", path);
  await admin.tokenEndpoint.waitForRequests(1);
  await admin.server.close();
  assert.equal((await verified).status, 503);
});
