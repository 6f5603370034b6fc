/** One account: show, change, delete. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { AccountPatch } from "../../accounts/record_edits.ts";
import { hashPassword } from "../../accounts/password_hash.ts";
import { accountPatchSchema } from "../account_body.ts";
import { misspelledKeys } from "../account_faults.ts";
import { accountView, accountViewSchema } from "../account_view.ts";
import type { AdminContext } from "../admin_context.ts";
import type { AdminServices } from "../admin_services.ts";
import { createApiApp, emailParameter, jsonAnswer, jsonBody, withToken } from "../api_app.ts";
import { commonProblems, problemResponses, RequestProblem } from "../request_problem.ts";
import { requireAccount } from "../require_account.ts";

const answerSchema = z.object({ success: z.literal(true), account: accountViewSchema });
const tags = ["accounts"];
const path = "/admin/accounts/{email}";
const missing = problemResponses({ 404: "There is no such account" });

const show = createRoute({
  method: "get",
  path,
  operationId: "getAccount",
  tags,
  security: withToken,
  summary: "Show an account, without its secrets",
  request: { params: emailParameter },
  responses: { ...commonProblems, ...missing, 200: jsonAnswer(answerSchema, "The account") },
});

const change = createRoute({
  method: "patch",
  path,
  operationId: "changeAccount",
  tags,
  security: withToken,
  summary: "Change fields of an account; null removes one. Open sessions go on",
  request: { params: emailParameter, body: jsonBody(accountPatchSchema) },
  responses: {
    ...commonProblems,
    ...missing,
    ...problemResponses({
      400: "Each fault by field",
      409: "A new e-mail, and a listener names the account by this one",
      413: "Too large",
      415: "Not JSON",
    }),
    200: jsonAnswer(answerSchema, "The account as it is now"),
  },
});

const remove = createRoute({
  method: "delete",
  path,
  operationId: "removeAccount",
  tags,
  security: withToken,
  summary: "Remove an account; its connections retire after the transaction in hand",
  request: { params: emailParameter },
  responses: {
    ...commonProblems,
    ...missing,
    ...problemResponses({ 409: "A listener names it" }),
    200: jsonAnswer(z.object({ success: z.literal(true), email: z.string() }), "It is gone"),
  },
});

/** The calls for one account. */
export function accountRoutes({ context }: AdminServices): OpenAPIHono {
  const app = createApiApp({ keyFaults: misspelledKeys });
  app.openapi(show, (c) => {
    const account = requireAccount(context.accounts, c.req.valid("param").email);
    const token = context.tokens.find(account.email)?.state;
    return c.json({ success: true as const, account: accountView(account, token) }, 200);
  });
  app.openapi(change, async (c) => {
    const { email } = requireAccount(context.accounts, c.req.valid("param").email);
    const patch = await patchOf(c.req.valid("json"));
    const account = await editLive(context, () => context.accounts.update(email, patch));
    const token = context.tokens.find(account.email)?.state;
    context.log.info("Account {account} changed over the API: {fields}", {
      account: email,
      fields: Object.keys(patch).join(", "),
    });
    return c.json({ success: true as const, account: accountView(account, token) }, 200);
  });
  app.openapi(remove, async (c) => {
    const { email } = requireAccount(context.accounts, c.req.valid("param").email);
    await editLive(context, () => context.accounts.remove(email));
    context.log.info("Account {account} removed over the API", { account: email });
    return c.json({ success: true as const, email }, 200);
  });
  return app;
}

async function editLive<T>(context: AdminContext, edit: () => Promise<T>): Promise<T> {
  const result = await edit();
  context.accountsChanged();
  return result;
}

async function patchOf({ password, ...fields }: z.infer<typeof accountPatchSchema>): Promise<AccountPatch> {
  const foreign = ["verify", "overwrite"].filter((field) => field in fields);
  if (foreign.length > 0) {
    const fault = {
      message: "is no field of an account",
      hint: "verify it with POST /admin/accounts/{email}/verify",
    };
    throw new RequestProblem(400, "The account has faults", foreign.map((path) => ({ path, ...fault })));
  }
  if (password === undefined && Object.keys(fields).length === 0) {
    throw new RequestProblem(400, "There is nothing to change: name at least one field");
  }
  const patch = fields as AccountPatch;
  if (password === undefined) return patch;
  return { ...patch, password_hash: password === null ? null : await hashPassword(password) };
}
