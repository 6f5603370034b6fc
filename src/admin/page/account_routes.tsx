import { Hono } from "hono";
import { hashPassword } from "../../accounts/password_hash.ts";
import { requireAccount } from "../require_account.ts";
import { AccountPage } from "./account_view.tsx";
import { attentionOf } from "./attention.ts";
import { accountPath } from "./attention_list.tsx";
import { newPassword, PasswordShown } from "./client_password.tsx";
import { Page, respond } from "./layout.tsx";
import { requireSession } from "./page_guards.ts";
import type { PageEnv, PageServices } from "./page_services.ts";

/** One account: show, set its password, remove. */
export function accountRoutes(services: PageServices): Hono<PageEnv> {
  const { context, sessions } = services;
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
