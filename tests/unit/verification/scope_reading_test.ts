import assert from "node:assert/strict";
import { readScope } from "../../../src/verification/scope_reading.ts";
import { testAccount } from "../oauth/test_account.ts";

const outlook = "https://outlook.office.com/SMTP.Send offline_access";

function jwt(claims: unknown): string {
  const encode = (value: unknown) => btoa(JSON.stringify(value)).replaceAll("=", "");
  return `${encode({ alg: "none" })}.${encode(claims)}.sig`;
}

function read(value: string, { granted, scope }: { granted?: string; scope?: string } = {}) {
  const tokens = { accessToken: { value, expiresAtMs: 0 }, ...(granted !== undefined && { scope: granted }) };
  return readScope(tokens, testAccount(scope === undefined ? {} : { scope }));
}

const rows: readonly [
  name: string,
  token: string,
  options: { granted?: string; scope?: string },
  detail: RegExp,
  remedy: RegExp | undefined,
][] = [
  ["an opaque token", "ya29.x", {}, /^not told by the provider$/, undefined],
  ["a granted scope", "x", { granted: "smtp", scope: "smtp" }, /^scope smtp$/, undefined],
  ["a missing scope", "x", { granted: "imap", scope: "smtp" }, /lacks smtp$/, /allow smtp/],
  ["a scope with its resource", "x", { granted: outlook, scope: outlook }, /^scope /, undefined],
  [
    "a scope without its resource",
    jwt({ aud: "https://outlook.office.com", scp: "SMTP.Send" }),
    { scope: outlook },
    /audience https:\/\/outlook\.office\.com$/,
    undefined,
  ],
  [
    "the audience by number",
    jwt({ aud: "00000002-0000-0ff1-ce00-000000000000", scp: "SMTP.Send" }),
    { scope: outlook },
    /ce00/,
    undefined,
  ],
  [
    "another audience",
    jwt({ aud: "https://graph.microsoft.com", scp: "SMTP.Send" }),
    { scope: outlook },
    /graph/,
    /Set scope to https:\/\/outlook\.office\.com\/SMTP\.Send/,
  ],
  [
    "Google's scope",
    "x",
    { granted: "https://mail.google.com/", scope: "https://mail.google.com/" },
    /./,
    undefined,
  ],
  [
    "an app's own scope",
    "x",
    { granted: "y", scope: "https://outlook.office365.com/.default" },
    /scope y/,
    undefined,
  ],
  ["no JSON in the token", "eyJ.bm90.x", {}, /not told/, undefined],
  ["no object in the token", `eyJ.${btoa("7")}.x`, {}, /not told/, undefined],
  ["control characters", jwt({ aud: "a\nb", scp: "x\u0000" }), {}, /not told/, undefined],
];

for (const [name, token, options, detail, remedy] of rows) {
  Deno.test(`readScope reads ${name}`, () => {
    const reading = read(token, options);
    assert.match(reading.detail, detail);
    if (remedy) assert.match(reading.remedy ?? "", remedy);
    else assert.equal(reading.remedy, undefined);
    assert.ok(!reading.detail.includes(token));
  });
}
