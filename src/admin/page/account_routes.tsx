import { Hono } from "hono";
import type { FC } from "hono/jsx";
import { hashPassword } from "../../accounts/password_hash.ts";
import type { Verification } from "../../verification/verification.ts";
import { requireAccount } from "../require_account.ts";
import { AccountPage } from "./account_view.tsx";
import { attentionOf } from "./attention.ts";
import { accountPath, Reason } from "./attention_list.tsx";
import { newPassword, PasswordShown } from "./client_password.tsx";
import { formatMs } from "./format_measures.ts";
import { ActionForm, Notice, Page, respond } from "./layout.tsx";
import { requireSession } from "./page_guards.ts";
import type { PageEnv, PageServices } from "./page_services.ts";
import { ProblemNotice, problemOf } from "./problem_page.tsx";
import { verifyStepwise } from "./stepwise_verification.ts";
import { growingPlace, streamPage } from "./streamed_page.ts";

/** One account: show, verify, set its password, remove. */
export function accountRoutes(services: PageServices): Hono<PageEnv> {
  const { context, sessions, closing } = services;
  const { accounts, log } = context;
  const signedIn = requireSession(sessions);
  const app = new Hono<PageEnv>();
  app.get("/accounts/:email", signedIn, async (c) => {
    const account = requireAccount(accounts, c.req.param("email"));
    const { accounts: statuses, listeners } = await context.status();
    const status = statuses.find(({ email }) => email === account.email) ??
      {
        email: account.email,
        provider: account.providerName,
        token: { state: "unknown" as const },
        rates: {},
      };
    const attention = attentionOf(status, account);
    const facts = { account, status, attention, listeners, nowMs: context.now() };
    return await respond(c, <AccountPage session={c.get("session")} {...facts} />);
  });
  app.post("/accounts/:email/verify", signedIn, (c) => {
    const account = requireAccount(accounts, c.req.param("email"));
    const session = c.get("session");
    const page = (
      <Page title={`Verify ${account.email}`} current="accounts" session={session}>
        <ol class="steps" aria-live="polite">{growingPlace}</ol>
        <p class="buttons">
          <a class="button" href={accountPath(account.email)}>Back to the account</a>
        </p>
        <ActionForm session={session} action={accountPath(account.email, "verify")} button="Verify again" />
      </Page>
    );
    const failure = async (error: Error) => (
      <li class="result">
        <ProblemNotice problem={await problemOf(error, { c, log })} />
      </li>
    );
    return streamPage(c, { page, failure }, async (grow, left) => {
      const growing: Promise<void>[] = [];
      const verification = await verifyStepwise({ account, services }, {
        onStep: (sentence) => growing.push(grow(<li>{sentence}</li>)),
        signal: AbortSignal.any([closing, left]),
      });
      await Promise.all(growing);
      await grow(<VerificationResult verification={verification} />);
    });
  });
  app.post("/accounts/:email/password", signedIn, async (c) => {
    const { email } = requireAccount(accounts, c.req.param("email"));
    const password = newPassword();
    const { username } = await accounts.update(email, { password_hash: await hashPassword(password) });
    context.accountsChanged();
    log.info("Password of account {account} set on the page", { account: email });
    return await respond(
      c,
      <Page title={email} current="accounts" session={c.get("session")}>
        <PasswordShown username={username} password={password} />
        <p>
          <a class="button" href={accountPath(email)}>Back to the account</a>
        </p>
      </Page>,
    );
  });
  app.post("/accounts/:email/remove", signedIn, async (c) => {
    const { email } = requireAccount(accounts, c.req.param("email"));
    await accounts.remove(email);
    context.accountsChanged();
    log.info("Account {account} removed on the page", { account: email });
    return c.redirect("/accounts", 303);
  });
  return app;
}

const VerificationResult: FC<{ verification: Verification }> = ({ verification: { steps, failure } }) => (
  <li class="result">
    {failure
      ? (
        <Notice kind="bad" title="The account can't send">
          <Reason cause={failure.cause} remedy={failure.remedy} />
        </Notice>
      )
      : <Notice kind="good" title="The account can send" />}
    <details>
      <summary>Every step</summary>
      <table>
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col">Result</th>
            <th scope="col" class="number">Time</th>
          </tr>
        </thead>
        <tbody>
          {steps.map(({ name, ok, ms, detail }) => (
            <tr>
              <td>{name}</td>
              <td>{ok ? detail : `failed: ${detail}`}</td>
              <td class="number">{formatMs(ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  </li>
);
