import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { verifyAccount } from "../../verification/verify_account.ts";
import type { AdminServices } from "../admin_services.ts";
import { createApiApp, emailParameter, jsonAnswer, withToken } from "../api_app.ts";
import { probeAccount } from "../probe_account.ts";
import { commonProblems, problemDetailSchema, problemResponses } from "../request_problem.ts";
import { requireAccount } from "../require_account.ts";

const stepSchema = z.object({
  name: z.enum(["token", "scope", "connect", "tls", "greeting", "ehlo", "starttls", "auth"]),
  ok: z.boolean(),
  ms: z.number(),
  detail: z.string(),
}).openapi("VerificationStep");

const passedSchema = z.object({
  success: z.literal(true),
  email: z.string(),
  steps: z.array(stepSchema),
}).openapi("VerificationPassed");

const failedSchema = z.object({
  success: z.literal(false),
  email: z.string(),
  error: z.string().openapi({ description: "Cause and remedy" }),
  cause: z.string(),
  remedy: z.string(),
  details: z.array(problemDetailSchema),
  steps: z.array(stepSchema),
}).openapi("VerificationFailed");

const verify = createRoute({
  method: "post",
  path: "/admin/accounts/{email}/verify",
  operationId: "verifyAccount",
  tags: ["accounts"],
  security: withToken,
  summary: "Obtain a token and sign in at the mail server, step by step",
  request: { params: emailParameter },
  responses: {
    ...commonProblems,
    ...problemResponses({ 404: "There is no such account" }),
    200: jsonAnswer(passedSchema, "The account can send"),
    422: jsonAnswer(failedSchema, "The provider refuses: somebody has to act"),
    502: jsonAnswer(failedSchema, "The provider can't be asked, or has a passing problem"),
  },
});

/** The call that proves an account. */
export function verifyRoutes({ context, givingUp }: AdminServices): OpenAPIHono {
  const { accounts, tokens, dialer, now, mailbox } = context;
  const app = createApiApp();
  app.openapi(verify, async (c) => {
    const account = requireAccount(accounts, c.req.valid("param").email);
    const { email } = account;
    const { steps, failure } = await verifyAccount(account, {
      probe: (signal) => probeAccount(account, { ...context, signal }),
      dialer,
      withPlace: (work, signal) => context.withPlace(email, work, signal),
      mailbox: mailbox(email)!,
      signal: givingUp,
      now,
    });
    if (!failure) {
      // What the operator has just mended at the provider counts at once.
      tokens.find(email)?.retry();
      return c.json({ success: true as const, email, steps: [...steps] }, 200);
    }
    const { cause, remedy, kind, step } = failure;
    const body = {
      success: false as const,
      email,
      error: `${cause}. ${remedy}`,
      cause,
      remedy,
      details: [{ path: step, message: cause, hint: remedy }],
      steps: [...steps],
    };
    return kind === "refused" ? c.json(body, 422) : c.json(body, 502);
  });
  return app;
}
