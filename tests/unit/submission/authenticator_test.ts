import assert from "node:assert/strict";
import { Authenticator, type AuthenticatorOptions } from "../../../src/submission/authenticator.ts";
import { FailureCounter } from "../../support/failure_counter.ts";

const REMOTE = "192.0.2.1";
const never = new AbortController().signal;

const ACCOUNTS = [
  { email: "a@example.com", username: "a@example.com", passwordHash: "hash of a" },
  { email: "b@example.com", username: "scanner", passwordHash: "hash of b" },
  { email: "open@example.com", username: "open@example.com" },
];

class Fixture implements AsyncDisposable {
  /** What was compared with what. */
  readonly verified: string[] = [];
  readonly failures: FailureCounter;
  readonly authenticator: Authenticator;

  constructor(options: Partial<AuthenticatorOptions> = {}) {
    this.failures = new FailureCounter(options);
    this.authenticator = new Authenticator({
      accountOf: (username) => ACCOUNTS.find((account) => account.username === username.toLowerCase()),
      verifyPassword: (password, hash) => {
        this.verified.push(`${password}: ${hash}`);
        return Promise.resolve(hash === `hash of ${password}`);
      },
      decoyHash: "decoy",
      failureDelayMs: 0,
      failures: this.failures,
      ...options,
    });
  }

  signIn(
    username: string,
    password: string,
    { client = REMOTE, authorizationIdentity = "", signal = never } = {},
  ) {
    const credentials = { authorizationIdentity, authenticationIdentity: username, password };
    return this.authenticator.signIn(credentials, client, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.failures.clear();
  }
}

Deno.test("Authenticator takes user name and password, the name in any case", async () => {
  await using fixture = new Fixture();
  assert.deepEqual(await fixture.signIn("A@Example.com", "a"), { account: "a@example.com" });
  assert.deepEqual(await fixture.signIn("scanner", "b"), { account: "b@example.com" });
});

Deno.test("Authenticator refuses every fault alike, at the price of one comparison", async () => {
  await using fixture = new Fixture();
  for (
    const [username, password] of [["a@example.com", "b"], ["nobody", "a"], [
      "open@example.com",
      "x",
    ]] as const
  ) {
    assert.equal(await fixture.signIn(username, password), "refused");
  }
  assert.deepEqual(fixture.verified, ["b: hash of a", "a: decoy", "x: decoy"]);
});

Deno.test("Authenticator lets an account without a password in from loopback only", async () => {
  await using fixture = new Fixture();
  for (const client of ["127.0.0.1", "127.8.8.8", "::1"]) {
    assert.deepEqual(await fixture.signIn("open@example.com", "anything", { client }), {
      account: "open@example.com",
    });
  }
  for (const client of [REMOTE, "10.0.0.1", "128.0.0.1", "::2", "2001:db8::1", ""]) {
    assert.equal(await fixture.signIn("open@example.com", "anything", { client }), "refused", client);
  }
});

Deno.test("Authenticator lets no account act for another", async () => {
  await using fixture = new Fixture();
  for (const authorizationIdentity of ["", "scanner", "B@example.com"]) {
    assert.deepEqual(await fixture.signIn("scanner", "b", { authorizationIdentity }), {
      account: "b@example.com",
    });
  }
  assert.equal(await fixture.signIn("scanner", "b", { authorizationIdentity: "a@example.com" }), "refused");
});

Deno.test("Authenticator pays for a verified password once, and for a wrong one each time", async () => {
  await using fixture = new Fixture();
  for (let attempt = 0; attempt < 3; attempt++) {
    await fixture.signIn("a@example.com", "a");
    await fixture.signIn("a@example.com", "wrong");
  }
  assert.equal(fixture.verified.filter((line) => line === "a: hash of a").length, 1);
  assert.equal(fixture.verified.filter((line) => line === "wrong: hash of a").length, 3);
});

Deno.test("Authenticator forgets a remembered password with its hash", async () => {
  const account = { ...ACCOUNTS[0]! };
  await using fixture = new Fixture({ accountOf: () => account });
  await fixture.signIn("a@example.com", "a");
  account.passwordHash = "hash of new";
  assert.equal(await fixture.signIn("a@example.com", "a"), "refused");
  assert.deepEqual(await fixture.signIn("a@example.com", "new"), { account: "a@example.com" });
});

Deno.test("Authenticator locks an address out after its failures, right passwords included, and no other address", async () => {
  await using fixture = new Fixture({ maxFailures: 3 });
  for (let attempt = 0; attempt < 3; attempt++) {
    assert.equal(await fixture.signIn(`user${attempt}`, "x"), "refused");
  }
  assert.equal(await fixture.signIn("a@example.com", "a"), "locked-out");
  assert.deepEqual(await fixture.signIn("a@example.com", "a", { client: "192.0.2.2" }), {
    account: "a@example.com",
  });
});

Deno.test("Authenticator locks out one user name of this machine, not its other programs", async () => {
  await using fixture = new Fixture({ maxFailures: 2 });
  const client = "127.0.0.1";
  for (let attempt = 0; attempt < 2; attempt++) {
    assert.equal(await fixture.signIn("a@example.com", "x", { client }), "refused");
  }
  assert.equal(await fixture.signIn("A@example.com", "a", { client }), "locked-out");
  assert.deepEqual(await fixture.signIn("scanner", "b", { client }), { account: "b@example.com" });
});

Deno.test("Authenticator makes a refusal wait, and no longer than the session lasts", async () => {
  await using fixture = new Fixture({ failureDelayMs: 60_000 });
  const session = new AbortController();
  const refused = fixture.signIn("a@example.com", "x", { signal: session.signal });
  await turn();
  session.abort();
  assert.equal(await refused, "refused");
  assert.equal(await fixture.signIn("a@example.com", "x", { signal: session.signal }), "aborted");
});

Deno.test("Authenticator runs two hashes at a time and none for nothing", async () => {
  const gates: PromiseWithResolvers<boolean>[] = [];
  await using fixture = new Fixture({
    verifyPassword: () => {
      const gate = Promise.withResolvers<boolean>();
      gates.push(gate);
      return gate.promise;
    },
  });
  const attempts = ["1", "2", "3", "4"].map((password) =>
    fixture.signIn("a@example.com", password, { client: "::1" })
  );
  await turn();
  assert.equal(gates.length, 2);
  gates[0]!.resolve(true);
  await turn();
  assert.equal(gates.length, 3);
  gates[1]!.reject(new Error("out of memory"));
  await assert.rejects(attempts[1]!, /out of memory/);
  await turn();
  assert.equal(gates.length, 4, "a failure gives its place back");
  for (const gate of gates) gate.resolve(true);
  for (const index of [0, 2, 3]) assert.deepEqual(await attempts[index], { account: "a@example.com" });
});

Deno.test("Authenticator hashes no more for an address that has failed too often while it waited", async () => {
  await using fixture = new Fixture({ maxFailures: 2 });
  const guesses = Array.from({ length: 40 }, (_, guess) => fixture.signIn("a@example.com", `${guess}`));
  const results = await Promise.all(guesses);
  assert.equal(results.filter((result) => result === "refused").length, 2);
  // Those whose turn came while the first failures were being counted.
  assert.ok(fixture.verified.length <= 8, `${fixture.verified.length} hashes`);
});

Deno.test("Authenticator refuses no right password because another address that gave it is locked out", async () => {
  const gate = Promise.withResolvers<void>();
  await using fixture = new Fixture({
    maxFailures: 2,
    async verifyPassword(password, hash) {
      if (password !== "b") await gate.promise;
      return hash === `hash of ${password}`;
    },
  });
  const guesses = ["1", "2"].map((guess) => fixture.signIn("a@example.com", guess));
  const failing = fixture.signIn("scanner", "b");
  await turn();
  const other = fixture.signIn("scanner", "b", { client: "192.0.2.2" });
  await turn();
  for (let failure = 0; failure < 2; failure++) await fixture.failures.consume(REMOTE);
  gate.resolve();
  assert.deepEqual(await Promise.all([...guesses, failing]), ["locked-out", "locked-out", "locked-out"]);
  assert.deepEqual(await other, { account: "b@example.com" });
});

Deno.test("Authenticator hashes no password that was verified for another address while this one waited", async () => {
  const gate = Promise.withResolvers<boolean>();
  let hashes = 0;
  await using fixture = new Fixture({
    verifyPassword: (password) => {
      if (password === "a") hashes++;
      return password === "a" ? Promise.resolve(true) : gate.promise;
    },
  });
  const taken = ["1", "2"].map((guess) => fixture.signIn("a@example.com", guess, { client: "192.0.2.9" }));
  await turn();
  const waiting = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((client) =>
    fixture.signIn("a@example.com", "a", { client })
  );
  await turn();
  gate.resolve(false);
  assert.deepEqual(await Promise.all(taken), ["refused", "refused"]);
  for (const result of await Promise.all(waiting)) assert.deepEqual(result, { account: "a@example.com" });
  assert.ok(hashes <= 2, `${hashes} hashes`);
});

Deno.test("Authenticator ends a wait for a hash with the session, and hashes nothing for nobody", async () => {
  const gate = Promise.withResolvers<boolean>();
  let hashes = 0;
  await using fixture = new Fixture({ verifyPassword: () => (hashes++, gate.promise) });
  const session = new AbortController();
  const attempts = ["1", "2", "3", "4"].map((guess) =>
    fixture.signIn("a@example.com", guess, { signal: session.signal })
  );
  await turn();
  session.abort();
  assert.deepEqual(await Promise.all(attempts), ["aborted", "aborted", "aborted", "aborted"]);
  gate.resolve(false);
  await turn();
  assert.equal(hashes, 2);
});

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

Deno.test("Authenticator locks a network of IPv6 addresses out as one client", async () => {
  await using fixture = new Fixture({ maxFailures: 3 });
  for (let attempt = 0; attempt < 3; attempt++) {
    assert.equal(
      await fixture.signIn("a@example.com", "x", { client: `2001:db8:0:1::${attempt}` }),
      "refused",
    );
  }
  assert.equal(await fixture.signIn("a@example.com", "a", { client: "2001:db8:0:1:9::" }), "locked-out");
  assert.deepEqual(await fixture.signIn("a@example.com", "a", { client: "2001:db8:0:2::1" }), {
    account: "a@example.com",
  });
});

Deno.test("Authenticator remembers the failures of no more made-up names of this machine than it has room for", async () => {
  await using fixture = new Fixture({ maxFailures: 1 });
  const client = "127.0.0.1";
  assert.equal(await fixture.signIn("first", "x", { client }), "refused");
  assert.equal(await fixture.signIn("a@example.com", "x", { client }), "refused");
  assert.equal(await fixture.signIn("first", "x", { client }), "locked-out");
  await Promise.all(
    Array.from({ length: 10_000 }, (_, name) => fixture.signIn(`name-${name}`, "x", { client })),
  );
  assert.equal(await fixture.signIn("first", "x", { client }), "refused");
  assert.equal(await fixture.signIn("a@example.com", "a", { client }), "locked-out", "an account's are kept");
});

Deno.test("Authenticator gives made-up names of this machine one turn among them", async () => {
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  await using fixture = new Fixture({
    async verifyPassword(password) {
      await gate.promise;
      order.push(password);
      return password === "a";
    },
  });
  const client = "127.0.0.1";
  const guesses = Array.from(
    { length: 20 },
    (_, guess) => fixture.signIn(`user${guess}`, `${guess}`, { client }),
  );
  await turn();
  const genuine = fixture.signIn("a@example.com", "a", { client });
  await turn();
  gate.resolve();
  assert.deepEqual(await genuine, { account: "a@example.com" });
  await Promise.all(guesses);
  assert.ok(order.indexOf("a") <= 4, `${order.indexOf("a")} were before it`);
});
