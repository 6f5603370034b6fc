/** All accounts: list, add, remove those with an invalid grant, remove all. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { newAccountSchema } from "../account_body.ts";
import { newAccountFaults } from "../account_faults.ts";
import { accountView, accountViewSchema } from "../account_view.ts";
import type { AdminServices } from "../admin_services.ts";
import { createApiApp, jsonAnswer, jsonBody, withToken } from "../api_app.ts";
import { removeInvalidAccounts } from "../remove_invalid_accounts.ts";
import { commonProblems, problemResponses, RequestProblem } from "../request_problem.ts";

const tags = ["accounts"];
const security = withToken;
const ok = z.literal(true);

const list = createRoute({
  method: "get",
  path: "/admin/accounts",
  operationId: "listAccounts",
  tags,
  security,
  summary: "List all accounts, without their secrets",
  responses: {
    ...commonProblems,
    200: jsonAnswer(
      z.object({ success: ok, total_accounts: z.int(), accounts: z.array(accountViewSchema) }),
      "All accounts",
    ),
  },
});

const addedSchema = z.object({ success: ok, account: accountViewSchema });

const add = createRoute({
  method: "post",
  path: "/admin/accounts",
  operationId: "addAccount",
  tags,
  security,
  summary: "Add an account; it is on disk and live when the answer comes",
  request: { body: jsonBody(newAccountSchema) },
  responses: {
    ...commonProblems,
    ...problemResponses({
      400: "Each fault by field",
      409: "There is such an account, and overwrite is false",
      413: "Too large",
      415: "Not JSON",
      422: "The provider refuses the grant",
      502: "The provider can't be asked now",
    }),
    200: jsonAnswer(addedSchema, "It took the place of another"),
    201: jsonAnswer(addedSchema, "It was added"),
  },
});

const refusalSchema = z.object({ email: z.string(), error: z.string(), remedy: z.string() });

const removeInvalid = createRoute({
  method: "delete",
  path: "/admin/accounts/invalid",
  operationId: "removeInvalidAccounts",
  tags,
  security,
  summary: "Ask for a token for each account, and remove those whose grant the provider calls invalid",
  responses: {
    ...commonProblems,
    200: jsonAnswer(
      z.object({
        success: ok,
        checked: z.int(),
        removed: z.array(z.string()),
        kept: z.array(refusalSchema).openapi({ description: "No token for another reason: they stay" }),
      }),
      "What was removed",
    ),
  },
});

const removeAll = createRoute({
  method: "delete",
  path: "/admin/accounts",
  operationId: "removeAllAccounts",
  tags,
  security,
  summary: "Remove all accounts",
  request: {
    query: z.object({ confirm: z.string().optional().openapi({ description: 'Has to be "true"' }) }),
  },
  responses: {
    ...commonProblems,
    ...problemResponses({ 400: "Not confirmed", 409: "A listener names one of them" }),
    200: jsonAnswer(z.object({ success: ok, removed: z.int() }), "They are gone"),
  },
});

/** The calls for all accounts. */
export function accountListRoutes({ context, admission, closing }: AdminServices): OpenAPIHono {
  const { accounts, tokens, providers, accountsChanged } = context;
  const app = createApiApp({ moreFaults: (body) => newAccountFaults(body, providers()) });
  app.openapi(list, (c) => {
    const views = accounts.list().map((account) => accountView(account, tokens.find(account.email)?.state));
    return c.json({ success: true as const, total_accounts: views.length, accounts: views }, 200);
  });
  app.openapi(add, async (c) => {
    const { account, isReplacement } = await admission.admit(c.req.valid("json"));
    accountsChanged();
    const body = { success: true as const, account: accountView(account, tokens.find(account.email)?.state) };
    return isReplacement ? c.json(body, 200) : c.json(body, 201);
  });
  // One at a time: two would remove the same accounts.
  let lastRemoval: Promise<unknown> = Promise.resolve();
  app.openapi(removeInvalid, async (c) => {
    const removal = lastRemoval.then(() => removeInvalidAccounts(context, closing));
    lastRemoval = Promise.allSettled([removal]);
    const outcome = await removal;
    return c.json({ success: true as const, ...outcome }, 200);
  });
  app.openapi(removeAll, async (c) => {
    if (c.req.valid("query").confirm !== "true") {
      throw new RequestProblem(400, "Removing all accounts wants ?confirm=true");
    }
    const emails = accounts.list().map(({ email }) => email);
    for (const email of emails) accounts.requireUnneeded(email);
    const removals = await Promise.allSettled(emails.map((email) => accounts.remove(email)));
    accountsChanged();
    const failure = removals.find((removal) => removal.status === "rejected");
    if (failure) throw failure.reason;
    context.log.info("All accounts removed over the API: {count}", { count: emails.length });
    return c.json({ success: true as const, removed: emails.length }, 200);
  });
  return app;
}
