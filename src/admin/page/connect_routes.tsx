/** Connecting an account as an administrator: in this browser, with a device code, or by a link for the owner. */

import { type Context, Hono } from "hono";
import type { FC } from "hono/jsx";
import type { Account } from "../../accounts/account.ts";
import { isSecureUrl } from "../../config/config_values.ts";
import type { PendingDeviceCode } from "../../oauth/device_code.ts";
import type { AuthorizationState } from "../authorizations.ts";
import { RequestProblem } from "../request_problem.ts";
import { requireAccount } from "../require_account.ts";
import { requireInteractiveGrant } from "../require_interactive_grant.ts";
import { accountPath, Reason } from "./attention_list.tsx";
import { streamSections } from "./event_stream.ts";
import { formatTime } from "./format_measures.ts";
import {
  ActionForm,
  Copyable,
  LiveSection,
  type Markup,
  markupText,
  Notice,
  OutsideLink,
  Page,
  respond,
} from "./layout.tsx";
import { findSession, publicOrigin, requireSession } from "./page_guards.ts";
import type { PageEnv, PageServices } from "./page_services.ts";
import type { PageSession } from "./page_sessions.ts";

/** The routes of an administrator. */
export function connectRoutes(
  { context, sessions, authorizations, links, closing }: PageServices,
): Hono<PageEnv> {
  const { accounts, now } = context;
  const signedIn = requireSession(sessions);
  const app = new Hono<PageEnv>();
  app.post("/accounts/:email/connect", signedIn, async (c) => {
    const account = requireAccount(accounts, c.req.param("email"));
    requireInteractiveGrant(account);
    switch (c.get("form").get("method")) {
      case "device_code":
        return await waitFor(c, account, <DeviceCode {...await startDevice(account)} nowMs={now()} />);
      case "link":
        return await respond(c, <LinkPage {...linkFor(c, account)} session={c.get("session")} />);
      default: {
        const { url } = await authorizations.startInBrowser(account, { redirectUri: callbackAddress(c) });
        return await waitFor(c, account, <GoOn url={url} newTab />);
      }
    }
  });
  app.get("/accounts/:email/connect/events", signedIn, (c) => {
    const { email } = requireAccount(accounts, c.req.param("email"));
    const session = c.get("session");
    return streamSections(c, {
      sections: () => Promise.resolve({ authorization: stateOf(email, session) }),
      closing,
      isWelcome: () => findSession(sessions, c) !== undefined,
    });
  });
  return app;

  async function startDevice(account: Account): Promise<PendingDeviceCode> {
    if (account.provider.deviceAuthorizationUrl === undefined) {
      throw new RequestProblem(400, "The provider has no device codes: connect in a browser");
    }
    return await authorizations.startWithDeviceCode(account);
  }

  function linkFor(c: Context<PageEnv>, { email }: Account) {
    callbackAddress(c);
    const { token, expiresAtMs } = links.create(email);
    context.log.info("Link for the owner of {account} made on the page", { account: email });
    const url = new URL(`/connect/${token}`, publicOrigin(c));
    return { email, url, until: formatTime(expiresAtMs, now()) };
  }

  async function waitFor(c: Context<PageEnv>, { email }: Account, instruction: Markup): Promise<Response> {
    const session = c.get("session");
    const page = (
      <Page
        title={`Connect ${email}`}
        current="accounts"
        session={session}
        events={accountPath(email, "connect", "events")}
      >
        {instruction}
        <LiveSection id="authorization" content={await markupText(stateOf(email, session))} />
        <p>
          <a href={accountPath(email)}>Back to the account</a>
        </p>
      </Page>
    );
    return await respond(c, page);
  }

  function stateOf(email: string, session: PageSession) {
    return <Progress state={authorizations.stateOf(email)} email={email} session={session} />;
  }
}

/**
 * Where the provider sends the browser back to.
 *
 * @throws {RequestProblem} If no provider would.
 */
export function callbackAddress(c: Context): string {
  const { href } = new URL("/oauth/callback", publicOrigin(c));
  if (isSecureUrl(href)) return href;
  throw new RequestProblem(
    400,
    `Providers send a browser back to https or to this machine only, not to ${href}: open the page under http://localhost, through an SSH tunnel for one, or put a proxy with TLS in front and add its name to admin.allowed_hosts`,
  );
}

/** The way on to the provider. A link, since a form may not lead away from here (Content-Security-Policy). */
export const GoOn: FC<{ url: string; newTab?: boolean }> = ({ url, newTab = false }) => (
  <section class="panel">
    <p>Sign in there as the owner of the mailbox, and allow access.</p>
    <OutsideLink href={url} newTab={newTab} class="button main">
      {`Continue at ${URL.parse(url)?.hostname}`}
    </OutsideLink>
  </section>
);

const DeviceCode: FC<PendingDeviceCode & { nowMs: number }> = (
  { userCode, verificationUri, verificationUriComplete, expiresAtMs, nowMs },
) => (
  <section class="panel">
    <p>
      On any device, open{" "}
      <OutsideLink href={verificationUriComplete ?? verificationUri}>{verificationUri}</OutsideLink>{" "}
      and enter this code, until {formatTime(expiresAtMs, nowMs)}:
    </p>
    <p class="code">
      <Copyable text={userCode} label="code" />
    </p>
  </section>
);

const LinkPage: FC<{ session: PageSession; email: string; url: URL; until: string }> = (
  { session, email, url, until },
) => (
  <Page title={`Connect ${email}`} current="accounts" session={session}>
    <section class="panel">
      <p>
        Send this link to the owner of the mailbox. It needs no admin token, is good for one authorization of
        this account, and ends at {until} or when the daemon stops.
      </p>
      <p>
        <Copyable text={url.href} label="link" />
      </p>
      {isLoopback(url) && (
        <p class="remark">
          It begins with {url.origin}{" "}
          and works on this machine only. For others, open this page under a name that they can reach.
        </p>
      )}
    </section>
    <p>
      <a href={accountPath(email)}>Back to the account</a>
    </p>
  </Page>
);

const Progress: FC<{ state: AuthorizationState; email: string; session: PageSession }> = (
  { state: { state, error = "", remedy = "" }, email, session },
) => {
  switch (state) {
    case "authorized":
      return (
        <Notice kind="good" title="Connected">
          <p>The account is live.</p>
          <ActionForm session={session} action={accountPath(email, "verify")} button="Verify" kind="main" />
        </Notice>
      );
    case "failed":
      return (
        <Notice kind="bad" title="Not connected">
          <Reason cause={error} remedy={remedy} />
        </Notice>
      );
    default:
      return (
        <p class="waiting">{state === "pending" ? "Waiting for the sign-in…" : "Nothing is under way."}</p>
      );
  }
};

function isLoopback({ protocol, href }: URL): boolean {
  return protocol === "http:" && isSecureUrl(href);
}
