import { type Context, Hono } from "hono";
import type { ProviderSettings } from "../../config/settings.ts";
import { type NewAccount, newAccountSchema } from "../account_body.ts";
import { newAccountFaults, onePerField, schemaFaults } from "../account_faults.ts";
import { RequestProblem } from "../request_problem.ts";
import { accountPath } from "./attention_list.tsx";
import { newPassword, PasswordShown } from "./client_password.tsx";
import { Notice, Page, respond } from "./layout.tsx";
import { NewAccountForm, ProviderChoice } from "./new_account_view.tsx";
import { publicOrigin, requireSession } from "./page_guards.ts";
import type { PageEnv, PageServices } from "./page_services.ts";
import { problemOf } from "./problem_page.tsx";
import { orderedProviders } from "./provider_guide.ts";

/** Adds an account, as `POST /admin/accounts` does. */
export function newAccountRoutes({ context, sessions, admission }: PageServices): Hono<PageEnv> {
  const app = new Hono<PageEnv>();
  app.get("/accounts/new", requireSession(sessions), async (c) => {
    const session = c.get("session");
    const provider = findProvider(c.req.query("provider"));
    const page = provider
      ? <NewAccountForm {...formProps(c, provider)} entered={new URLSearchParams()} />
      : <ProviderChoice session={session} providers={orderedProviders(context.providers())} />;
    return await respond(c, page);
  });
  app.post("/accounts/new", requireSession(sessions), async (c) => {
    const form = c.get("form");
    const provider = findProvider(form.get("provider") ?? "");
    if (!provider) throw new RequestProblem(400, "There is no such provider");
    const password = form.get("make_password") === "yes" ? newPassword() : undefined;
    try {
      const { account } = await admission.admit(checked(bodyOf(form, password)));
      context.accountsChanged();
      const isConnected = account.grant !== "refresh_token" || account.refreshToken !== undefined;
      const path = accountPath(account.email);
      return await respond(
        c,
        <Page title="Account added" current="accounts" session={c.get("session")}>
          <Notice kind="good" title={account.email}>
            <p>{isConnected ? "It is live." : "Next, its owner has to sign in at the provider."}</p>
            <p>
              <a class="button main" href={isConnected ? path : `${path}#connect`}>
                {isConnected ? "To the account" : "Connect it"}
              </a>
            </p>
          </Notice>
          {password !== undefined && <PasswordShown username={account.username} password={password} />}
        </Page>,
        201,
      );
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const problem = await problemOf(error, { c, log: context.log });
      const page = <NewAccountForm {...formProps(c, provider)} entered={form} problem={problem} />;
      return await respond(c, page, problem.status);
    }
  });
  return app;

  function findProvider(name: string | undefined): ProviderSettings | undefined {
    return name === undefined ? undefined : context.providers().get(name.toLowerCase());
  }

  function formProps(c: Context<PageEnv>, provider: ProviderSettings) {
    const redirectUri = new URL("/oauth/callback", publicOrigin(c)).href;
    return { session: c.get("session"), provider, redirectUri };
  }

  /** @throws {RequestProblem} With every fault. */
  function checked(body: Readonly<Record<string, unknown>>): NewAccount {
    const parsed = newAccountSchema.safeParse(body);
    if (parsed.success) return parsed.data;
    const faults = [
      ...schemaFaults(parsed.error.issues, body),
      ...newAccountFaults(body, context.providers()),
    ];
    throw new RequestProblem(400, "The account has faults", onePerField(faults));
  }
}

/** The body that the API would be sent. Fields of another way than the chosen one don't count. */
function bodyOf(form: URLSearchParams, password: string | undefined): Record<string, unknown> {
  const way = form.get("way") ?? "connect";
  const isAppGrant = way === "client_credentials" || way === "service_account";
  const names = [
    "email",
    "provider",
    "client_id",
    "client_secret",
    "tenant",
    "username",
    ...(way === "refresh_token" ? ["refresh_token"] : []),
    ...(way === "service_account" ? ["private_key_file"] : []),
  ];
  const fields = names.map((name) => [name, (form.get(name) ?? "").trim()] as const);
  return {
    ...Object.fromEntries(fields.filter(([, value]) => value !== "")),
    ...(isAppGrant && { grant: way }),
    ...(password !== undefined && { password }),
    verify: way !== "connect",
  };
}
