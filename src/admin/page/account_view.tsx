/** One account: how it stands, and what can be done with it. */

import type { FC } from "hono/jsx";
import type { Account } from "../../accounts/account.ts";
import { formatEndpoint } from "../../config/endpoint.ts";
import type { AccountStatus, DaemonStatus } from "../admin_context.ts";
import { type Attention, conditionOf } from "./attention.ts";
import { accountPath, ConditionBadge, Reason } from "./attention_list.tsx";
import { formatNumber, formatTime } from "./format_measures.ts";
import { ActionForm, CsrfField, Page } from "./layout.tsx";
import type { PageSession } from "./page_sessions.ts";

/** What is known of the account. */
export interface AccountPageProps {
  readonly session: PageSession;
  readonly account: Account;
  readonly status: AccountStatus;
  readonly attention: Attention | undefined;
  readonly listeners: DaemonStatus["listeners"];
  readonly nowMs: number;
}

/** The account's page. */
export const AccountPage: FC<AccountPageProps> = (props) => {
  const { session, account, status, attention } = props;
  const path = (...parts: string[]) => accountPath(account.email, ...parts);
  const isConnected = attention?.condition !== "unconnected";
  const verify = (
    <section class="panel">
      <h2>Verify</h2>
      <p>Gets a token, and signs in at the provider's mail server. Sends nothing.</p>
      <ActionForm
        session={session}
        action={path("verify")}
        button="Verify"
        kind={isConnected ? "main" : ""}
      />
    </section>
  );
  const connect = <ConnectSection session={session} account={account} isMain={!isConnected} />;
  return (
    <Page title={account.email} current="accounts" session={session}>
      <p>
        <ConditionBadge condition={conditionOf(status, account)} /> {account.providerName}
      </p>
      {attention && (
        <section class={`notice ${attention.condition === "blocked" ? "bad" : "warn"}`}>
          <h2>What is wrong</h2>
          <Reason cause={attention.cause} remedy={attention.remedy} />
        </section>
      )}
      {isConnected ? [verify, connect] : [connect, verify]}
      <section class="panel">
        <h2>SMTP clients</h2>
        <ClientFacts {...props} />
        <ActionForm
          session={session}
          action={path("password")}
          button={account.passwordHash === undefined ? "Set a password" : "Set another password"}
        >
          <p>The new password is shown once. Clients with the old one can't sign in any more.</p>
        </ActionForm>
      </section>
      <section class="panel">
        <h2>Details</h2>
        <AccountFacts {...props} />
        <p>
          <a href={`/messages?${new URLSearchParams({ account: account.email })}`}>Its last messages</a>
        </p>
      </section>
      <details class="panel">
        <summary>Remove the account</summary>
        <ActionForm
          session={session}
          action={path("remove")}
          button={`Remove ${account.email}`}
          kind="danger"
        >
          <p>
            Its grant and password are deleted. A message under way still ends; later ones read 4xx or 5xx
            until the account is added again.
          </p>
        </ActionForm>
      </details>
    </Page>
  );
};

const ConnectSection: FC<{ session: PageSession; account: Account; isMain: boolean }> = (
  { session, account, isMain },
) => {
  const { provider: { authorizationUrl, deviceAuthorizationUrl }, grant, email, refreshToken } = account;
  if (grant !== "refresh_token") return null;
  if ((authorizationUrl ?? deviceAuthorizationUrl) === undefined) return null;
  return (
    <section class="panel" id="connect">
      <h2>{refreshToken === undefined ? "Connect" : "Connect again"}</h2>
      <p>The owner of the mailbox signs in at the provider and allows the proxy to send.</p>
      <form method="post" action={accountPath(email, "connect")} class="buttons">
        <CsrfField session={session} />
        {authorizationUrl !== undefined && (
          <>
            <button type="submit" name="method" value="browser" class={isMain ? "main" : ""}>
              In this browser
            </button>
            <button type="submit" name="method" value="link">With a link for the owner</button>
          </>
        )}
        {deviceAuthorizationUrl !== undefined && (
          <button type="submit" name="method" value="device_code">With a code on another device</button>
        )}
      </form>
    </section>
  );
};

const ClientFacts: FC<AccountPageProps> = ({ account, listeners }) => (
  <dl class="facts">
    <dt>Server</dt>
    <dd>
      {listeners.length === 0
        ? "no listener"
        : listeners.map(({ security, ...endpoint }) =>
          `${formatEndpoint(endpoint)} (${securityNames[security]})`
        )
          .join(", ")}
    </dd>
    <dt>User name</dt>
    <dd>{account.username}</dd>
    <dt>Password</dt>
    <dd>{account.passwordHash === undefined ? "none: only programs on this machine, with any" : "set"}</dd>
  </dl>
);

const securityNames: Readonly<Record<string, string>> = { none: "plain", starttls: "STARTTLS", tls: "TLS" };

const AccountFacts: FC<AccountPageProps> = ({ account, status: { token, pool, rates }, nowMs }) => (
  <dl class="facts">
    <dt>Access token</dt>
    <dd>
      {token.state.replace("_", " ")}
      {token.expiresAtMs !== undefined && `, until ${formatTime(token.expiresAtMs, nowMs)}`}
    </dd>
    <dt>Grant</dt>
    <dd>{account.grant.replace("_", " ")}</dd>
    <dt>Client ID</dt>
    <dd>{account.clientId === "" ? "–" : account.clientId}</dd>
    <dt>Mail server</dt>
    <dd>{formatEndpoint(account.provider.smtpEndpoint)}</dd>
    <dt>Connections</dt>
    <dd>
      {pool ? `${pool.open} of ${pool.limit}, ${pool.idle} idle, ${pool.waiting} waiting` : "not used yet"}
    </dd>
    {rates.messagesThisMinute !== undefined && (
      <>
        <dt>Messages left this minute</dt>
        <dd>{formatNumber(rates.messagesThisMinute)}</dd>
      </>
    )}
    {rates.recipientsToday !== undefined && (
      <>
        <dt>Recipients left today</dt>
        <dd>{formatNumber(rates.recipientsToday)}</dd>
      </>
    )}
  </dl>
);
