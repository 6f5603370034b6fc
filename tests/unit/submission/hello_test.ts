import assert from "node:assert/strict";
import type { ListenerSettings } from "../../../src/config/settings.ts";
import { helloReply, nameRefusal, permitsAuth } from "../../../src/submission/hello.ts";

const LISTENER: ListenerSettings = {
  hostname: "127.0.0.1",
  port: 0,
  security: "none",
  requireTlsForAuth: false,
  allowedClients: [],
  maxSessions: 10,
  maxSessionsPerClient: 10,
};

interface Place {
  readonly listener?: Partial<ListenerSettings>;
  readonly isSecure?: boolean;
  readonly extensions?: readonly string[];
  readonly messageOctets?: number;
  readonly recipientsPerMessage?: number;
}

function offered({ listener, isSecure = false, extensions = [], ...limits }: Place): string[] {
  const reply = helloReply({ name: "client.example", isExtended: true }, {
    hostname: "proxy.test",
    listener: { ...LISTENER, ...listener },
    isSecure,
    offer: { extensions: new Set(extensions), ...limits },
  });
  return reply.lines.slice(1);
}

Deno.test("helloReply offers what the provider keeps, and nothing of its other extensions", () => {
  assert.deepEqual(
    offered({ extensions: ["8BITMIME", "SMTPUTF8", "DSN", "CHUNKING", "BINARYMIME", "STARTTLS", "AUTH"] }),
    [
      "PIPELINING",
      "SIZE",
      "8BITMIME",
      "SMTPUTF8",
      "DSN",
      "ENHANCEDSTATUSCODES",
      "AUTH PLAIN LOGIN",
    ],
  );
});

Deno.test("helloReply offers no SMTPUTF8 without 8BITMIME (RFC 6531 §3.1)", () => {
  assert.ok(!offered({ extensions: ["SMTPUTF8"] }).includes("SMTPUTF8"));
});

Deno.test("helloReply names the limits", () => {
  const lines = offered({ messageOctets: 35_882_577, recipientsPerMessage: 100 });
  assert.ok(lines.includes("SIZE 35882577"));
  assert.ok(lines.includes("LIMITS RCPTMAX=100"));
});

Deno.test("helloReply offers STARTTLS before TLS only, on a listener that has it", () => {
  assert.ok(offered({ listener: { security: "starttls" } }).includes("STARTTLS"));
  assert.ok(!offered({ listener: { security: "starttls" }, isSecure: true }).includes("STARTTLS"));
  assert.ok(!offered({ listener: { security: "tls" }, isSecure: true }).includes("STARTTLS"));
});

Deno.test("helloReply to HELO is one line", () => {
  const options = {
    hostname: "proxy.test",
    listener: LISTENER,
    isSecure: false,
    offer: { extensions: new Set<string>() },
  };
  assert.deepEqual(helloReply({ name: "x", isExtended: false }, options).lines, ["proxy.test"]);
});

Deno.test("nameRefusal takes 1 to 255 octets (RFC 5321 §4.5.3.1.2)", () => {
  assert.equal(nameRefusal("x"), undefined);
  assert.equal(nameRefusal("x".repeat(255)), undefined);
  assert.equal(nameRefusal("\u00e4".repeat(127)), undefined);
  for (const name of ["", "x".repeat(256), "\u00e4".repeat(128)]) {
    assert.match(nameRefusal(name)!.text(), /^501 5\.5\.4 /);
  }
});

const AUTH:
  readonly (readonly [listener: Partial<ListenerSettings>, isSecure: boolean, permitted: boolean])[] = [
    [{}, false, true],
    [{ security: "starttls", requireTlsForAuth: true }, false, false],
    [{ security: "starttls", requireTlsForAuth: true }, true, true],
    [{ security: "tls", requireTlsForAuth: true }, true, true],
    [{ account: "a@example.com" }, false, false],
  ];

for (const [listener, isSecure, permitted] of AUTH) {
  Deno.test(`permitsAuth says ${permitted} for ${JSON.stringify(listener)}, ${isSecure ? "inside" : "outside"} of TLS`, () => {
    assert.equal(permitsAuth({ ...LISTENER, ...listener }, isSecure), permitted);
    assert.equal(offered({ listener, isSecure }).includes("AUTH PLAIN LOGIN"), permitted);
  });
}
