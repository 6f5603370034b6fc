/** The interactive grants at a terminal: a browser here, a browser elsewhere, or a device code. */

import type { Account } from "../accounts/account.ts";
import type { GrantedTokens } from "../oauth/access_token.ts";
import {
  finishAuthorizationCode,
  type FinishedAuthorization,
  startAuthorizationCode,
} from "../oauth/authorization_code.ts";
import { startDeviceCode, waitForDeviceCode } from "../oauth/device_code.ts";
import { EndpointClient } from "../oauth/endpoint_client.ts";
import { withTimeout } from "../waiting/with_timeout.ts";
import { CommandFailure } from "./command_failure.ts";
import { listenForRedirect } from "./redirect_listener.ts";
import type { CommandInput } from "./terminal_input.ts";

/** How the user is to grant. */
export interface ObtainGrantOptions {
  readonly method: "browser" | "manual" | "device";
  /** Default: http://localhost, with the port of a listener. */
  readonly redirectUri?: string | undefined;
  readonly input: CommandInput;
  /** Tells the user what to do. */
  readonly tell: (line: string) => void;
  /** Makes the request that brings the grant, and keeps the grant. */
  readonly finish: (ask: () => Promise<Granted>) => Promise<void>;
}

/** A grant, with the token that stands for it. */
export type Granted = GrantedTokens & { readonly refreshToken: string };

const userTimeoutMs = 600_000;
const requestTimeoutMs = 30_000;

/**
 * Has the mailbox's user grant access; resolves when the grant is kept.
 *
 * @throws {TokenError} If the user or the provider refused.
 * @throws {CommandFailure} If nobody came back, or the provider has no such way.
 */
export async function obtainGrant(account: Account, options: ObtainGrantOptions): Promise<void> {
  const endpoints = new EndpointClient();
  try {
    switch (options.method) {
      case "device":
        return await byDeviceCode(account, { ...options, endpoints });
      case "manual":
        return await byPastedUrl(account, { ...options, endpoints });
      case "browser":
        return await byBrowser(account, { ...options, endpoints });
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new CommandFailure(error.message, { cause: error });
  } finally {
    await endpoints.close();
  }
}

type Way = ObtainGrantOptions & { readonly endpoints: EndpointClient };

async function byBrowser(account: Account, { redirectUri, tell, finish, endpoints }: Way): Promise<void> {
  await using listener = listenForRedirect(redirectUri);
  const pending = await startAuthorizationCode(account, {
    redirectUri: listener.redirectUri,
    loginHint: account.email,
  });
  tell(`Open this address in a browser on this machine, and sign in as ${account.email}:`);
  tell(`  ${pending.url}`);
  tell("(browser on another machine? stop this with Ctrl+C, and add --manual)");
  const callbackUrl = await limited(userTimeoutMs, (signal) => listener.callback(pending.state, signal));
  await finish(() => exchange(account, { pending, callbackUrl, endpoints }));
}

async function byPastedUrl(
  account: Account,
  { redirectUri = "http://localhost", input, tell, finish, endpoints }: Way,
): Promise<void> {
  const pending = await startAuthorizationCode(account, { redirectUri, loginHint: account.email });
  tell(`Open this address in any browser, and sign in as ${account.email}:`);
  tell(`  ${pending.url}`);
  tell("The browser ends at a page that can't be shown. Copy its whole address.");
  const callbackUrl = input.isTerminal ? await input.ask("Address:") : (await input.readAll()).trim();
  await finish(() => exchange(account, { pending, callbackUrl, endpoints }));
}

async function byDeviceCode(account: Account, { tell, finish, endpoints }: Way): Promise<void> {
  const fetch = endpoints.fetchFor(account.provider);
  const device = await limited(
    requestTimeoutMs,
    (signal) => startDeviceCode({ client: account, signal, fetch }),
  );
  tell(`Open ${device.verificationUri} on any device, sign in as ${account.email}, and enter the code:`);
  tell(`  ${device.userCode}`);
  const leftMs = device.expiresAtMs - Date.now() + requestTimeoutMs;
  await finish(() =>
    limited(leftMs, (signal) => waitForDeviceCode(device, { client: account, signal, fetch }))
  );
}

async function exchange(
  account: Account,
  { endpoints, ...finished }: FinishedAuthorization & { readonly endpoints: EndpointClient },
): Promise<Granted> {
  const fetch = endpoints.fetchFor(account.provider);
  return await limited(
    requestTimeoutMs,
    (signal) => finishAuthorizationCode(finished, { client: account, signal, fetch }),
  );
}

async function limited<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  try {
    return await withTimeout(work, { signal: new AbortController().signal, timeoutMs });
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "TimeoutError")) throw error;
    throw new CommandFailure("Nobody came back in time: start again", { cause: error });
  }
}
