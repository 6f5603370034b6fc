/** The browser's part of the code grant, against an authorization server that is not ours. */

import assert from "node:assert/strict";
import { OAuth2Server } from "oauth2-mock-server";
import { finishAuthorizationCode, startAuthorizationCode } from "../../src/oauth/authorization_code.ts";
import { obtainToken } from "../../src/oauth/obtain_token.ts";
import { testAccount, testProvider } from "../unit/oauth/test_account.ts";

const request = { signal: new AbortController().signal };
const redirectUri = "http://127.0.0.1:9090/oauth/callback";

async function startServer() {
  const server = new OAuth2Server();
  await server.issuer.keys.generate("RS256");
  await server.start(0, "127.0.0.1");
  const { port } = server.address();
  const origin = `http://127.0.0.1:${port}`;
  return {
    account: testAccount({
      provider: testProvider({ tokenUrl: `${origin}/token`, authorizationUrl: `${origin}/authorize` }),
    }),
    async [Symbol.asyncDispose]() {
      await server.stop();
    },
  };
}

/** Follows the URL as a browser would, and gives the address that it is sent back to. */
async function signIn(url: string): Promise<string> {
  const response = await fetch(url, { redirect: "manual" });
  await response.body?.cancel();
  return response.headers.get("location") ?? "";
}

Deno.test("authorization code grant with PKCE ends in a refresh token that works", async () => {
  await using server = await startServer();
  const client = server.account;
  const pending = await startAuthorizationCode(client, { redirectUri });
  const callbackUrl = await signIn(pending.url);
  assert.ok(callbackUrl.startsWith(redirectUri), callbackUrl);
  const tokens = await finishAuthorizationCode({ pending, callbackUrl }, { ...request, client });
  assert.notEqual(tokens.refreshToken, "");
  const refreshed = await obtainToken({ ...client, refreshToken: tokens.refreshToken }, request);
  assert.notEqual(refreshed.accessToken.value, "");
});

Deno.test("authorization code grant fails with another authorization's verifier", async () => {
  await using server = await startServer();
  const client = server.account;
  const pending = await startAuthorizationCode(client, { redirectUri });
  const other = await startAuthorizationCode(client, { redirectUri });
  const callbackUrl = await signIn(pending.url);
  const stolen = { ...pending, verifier: other.verifier };
  await assert.rejects(
    finishAuthorizationCode({ pending: stolen, callbackUrl }, { ...request, client }),
    { name: "TokenError" },
  );
});
