import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { AccountStoreError } from "../../accounts/account_store_error.ts";
import { ConfigError } from "../../config/config_error.ts";
import { newAccountSchema } from "../account_body.ts";
import { newAccountFaults, onePerField, schemaFaults, unknownKeys } from "../account_faults.ts";
import type { AdminServices } from "../admin_services.ts";
import { createApiApp, jsonAnswer, jsonBody, withToken } from "../api_app.ts";
import { inParallelToTheEnd } from "../in_parallel_to_the_end.ts";
import {
  commonProblems,
  detailsOf,
  type ProblemDetail,
  problemDetailSchema,
  problemResponses,
  RequestProblem,
} from "../request_problem.ts";

/** Most accounts in one batch. */
const mostAccounts = 1000;

const batchSchema = z.object({
  accounts: z.array(z.unknown(), { error: "must be a list of accounts" })
    .min(1, "must have at least one account")
    .max(mostAccounts, `must have at most ${mostAccounts} accounts`)
    .openapi({ type: "array", items: { $ref: "#/components/schemas/NewAccount" } }),
  verify: z.boolean("must be true or false").optional().openapi({
    description: "For items without one; default: true",
  }),
  overwrite: z.boolean("must be true or false").optional().openapi({
    description: "For items without one; default: false",
  }),
}).openapi("AccountBatch");

const resultSchema = z.object({
  index: z.int(),
  email: z.string().optional(),
  success: z.boolean(),
  status: z.int().openapi({ description: "What the call for one account would have answered" }),
  error: z.string().optional(),
  details: z.array(problemDetailSchema).optional(),
}).openapi("BatchResult");

type BatchResult = z.infer<typeof resultSchema>;

const answerSchema = z.object({
  success: z.boolean(),
  total: z.int(),
  succeeded: z.int(),
  failed: z.int(),
  results: z.array(resultSchema),
}).openapi("BatchAnswer");

const addBatch = createRoute({
  method: "post",
  path: "/admin/accounts/batch",
  operationId: "addAccounts",
  tags: ["accounts"],
  security: withToken,
  summary: `Add up to ${mostAccounts} accounts, verified in parallel`,
  request: { body: jsonBody(batchSchema) },
  responses: {
    ...commonProblems,
    ...problemResponses({ 400: "The batch itself has faults", 413: "Larger than 10 MiB", 415: "Not JSON" }),
    200: jsonAnswer(answerSchema, "All were added"),
    207: jsonAnswer(answerSchema, "Some failed: one result each, in order"),
  },
});

/** The call for many accounts. */
export function batchRoutes({ context, admission, closing }: AdminServices): OpenAPIHono {
  const app = createApiApp({ keyFaults: (body) => unknownKeys(body, batchSchema) });
  app.openapi(addBatch, async (c) => {
    const { accounts, verify = true, overwrite = false } = c.req.valid("json");
    const items = accounts.map((item) => ({ verify, overwrite, ...asObject(item) }));
    const doubles = repeatedItems(items);
    try {
      const results = await inParallelToTheEnd(items, (item, index) => {
        closing.throwIfAborted();
        return doubles.has(index)
          ? failed(index, {
            item,
            error: new RequestProblem(409, "The same account stands further up in the batch"),
          })
          : admitItem(index, item);
      });
      const succeeded = results.filter(({ success }) => success).length;
      const failures = results.length - succeeded;
      const body = { success: failures === 0, total: results.length, succeeded, failed: failures, results };
      return failures === 0 ? c.json(body, 200) : c.json(body, 207);
    } finally {
      context.accountsChanged();
    }
  });
  return app;

  async function admitItem(index: number, item: Record<string, unknown>): Promise<BatchResult> {
    try {
      const { account, isReplacement } = await admission.admit(checked(item));
      // At once: the verification may have rotated away the token that the account has been using.
      if (isReplacement) context.accountsChanged();
      return { index, email: account.email, success: true, status: isReplacement ? 200 : 201 };
    } catch (error) {
      return await failed(index, { item, error });
    }
  }

  function checked(item: Record<string, unknown>): z.infer<typeof newAccountSchema> {
    const parsed = newAccountSchema.safeParse(item);
    if (parsed.success) return parsed.data;
    const faults = [
      ...schemaFaults(parsed.error.issues, item),
      ...newAccountFaults(item, context.providers()),
    ];
    throw new RequestProblem(400, "The account has faults", onePerField(faults));
  }
}

/** @throws The error itself, if it isn't the item's own. */
function failed(
  index: number,
  { item, error }: { readonly item: Record<string, unknown>; readonly error: unknown },
): Promise<BatchResult> {
  const { status, message, details } = itemProblem(error);
  const { email } = item;
  return Promise.resolve({
    index,
    ...(typeof email === "string" && { email }),
    success: false,
    status,
    error: message,
    details: [...details],
  });
}

function itemProblem(
  error: unknown,
): { readonly status: number; readonly message: string; readonly details: readonly ProblemDetail[] } {
  if (error instanceof RequestProblem) return error;
  if (error instanceof ConfigError) {
    return { status: 400, message: "The account has faults", details: detailsOf(error.findings) };
  }
  if (error instanceof AccountStoreError) {
    const status = error.code === "ACCOUNTS_NOT_WRITABLE" ? 500 : 409;
    return { status, message: error.message, details: [] };
  }
  throw error;
}

/** Places of items whose e-mail an earlier item has. */
function repeatedItems(items: readonly Record<string, unknown>[]): Set<number> {
  const seen = new Set<string>();
  const repeated = new Set<number>();
  items.forEach(({ email }, index) => {
    if (typeof email !== "string") return;
    const key = email.toLowerCase();
    if (seen.has(key)) repeated.add(index);
    seen.add(key);
  });
  return repeated;
}

function asObject(item: unknown): Record<string, unknown> {
  return typeof item === "object" && item !== null && !Array.isArray(item)
    ? item as Record<string, unknown>
    : {};
}
