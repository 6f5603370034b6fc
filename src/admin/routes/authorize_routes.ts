/** Interactive grants: a user signs in at the provider, and the account gets its refresh token. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Account } from "../../accounts/account.ts";
import { isSecureUrl } from "../../config/config_values.ts";
import { unknownKeys } from "../account_faults.ts";
import type { AdminServices } from "../admin_services.ts";
import { createApiApp, emailParameter, jsonAnswer, withToken } from "../api_app.ts";
import { commonProblems, problemResponses, RequestProblem } from "../request_problem.ts";
import { requireAccount } from "../require_account.ts";

const tags = ["accounts"];
const path = "/admin/accounts/{email}/authorize";

const requestSchema = z.object({
  method: z.enum(["browser", "device_code"], 'must be "browser" or "device_code"').optional()
    .openapi({ description: "Default: browser" }),
  redirect_uri: z.string("must be a URL")
    .refine(isSecureUrl, "must be an https URL, or http to this machine")
    .optional()
    .openapi({
      description: "Registered with the app; default: /oauth/callback at the address of this request",
    }),
}).openapi("Authorize");

const startedSchema = z.discriminatedUnion("method", [
  z.object({
    success: z.literal(true),
    method: z.literal("browser"),
    authorization_url: z.string().openapi({ description: "Where the user's browser goes" }),
    redirect_uri: z.string(),
    expires_at: z.string(),
  }),
  z.object({
    success: z.literal(true),
    method: z.literal("device_code"),
    user_code: z.string(),
    verification_uri: z.string(),
    verification_uri_complete: z.string().optional(),
    expires_at: z.string(),
  }),
]).openapi("AuthorizationStarted");

const start = createRoute({
  method: "post",
  path,
  operationId: "startAuthorization",
  tags,
  security: withToken,
  summary: "Begin an authorization: code and PKCE in a browser, or a device code",
  request: { params: emailParameter, body: { content: { "application/json": { schema: requestSchema } } } },
  responses: {
    ...commonProblems,
    ...problemResponses({
      400: "The provider or the account's grant has no such way",
      404: "There is no such account",
      409: "The account was removed or changed meanwhile",
      422: "The provider refuses",
      429: "Too many are pending",
      502: "The provider can't be asked now",
    }),
    201: jsonAnswer(startedSchema, "What the user does next"),
  },
});

const show = createRoute({
  method: "get",
  path,
  operationId: "getAuthorization",
  tags,
  security: withToken,
  summary: "How the last authorization of an account stands",
  request: { params: emailParameter },
  responses: {
    ...commonProblems,
    ...problemResponses({ 404: "There is no such account" }),
    200: jsonAnswer(
      z.object({
        success: z.literal(true),
        email: z.string(),
        state: z.enum(["none", "pending", "authorized", "failed"]),
        error: z.string().optional(),
        remedy: z.string().optional(),
      }).openapi("AuthorizationState"),
      "Its state",
    ),
  },
});

/** The calls of the interactive grants. */
export function authorizeRoutes({ context, authorizations }: AdminServices): OpenAPIHono {
  const app = createApiApp({ keyFaults: (body) => unknownKeys(body, requestSchema) });
  app.openapi(start, async (c) => {
    const account = requireAccount(context.accounts, c.req.valid("param").email);
    // Without a body there is nothing that was validated.
    const { method = "browser", redirect_uri } = requestSchema.parse(c.req.valid("json") ?? {});
    if (method === "device_code") return c.json(await startWithDeviceCode(account), 201);
    const redirectUri = redirect_uri ?? ownCallback(c.req.url);
    const { url, expiresAtMs } = await authorizations.startInBrowser(account, { redirectUri });
    const expires_at = new Date(expiresAtMs).toISOString();
    return c.json(
      { success: true as const, method, authorization_url: url, redirect_uri: redirectUri, expires_at },
      201,
    );
  });
  app.openapi(show, (c) => {
    const { email } = requireAccount(context.accounts, c.req.valid("param").email);
    return c.json({ success: true as const, email, ...authorizations.stateOf(email) }, 200);
  });
  return app;

  async function startWithDeviceCode(account: Account) {
    const device = await authorizations.startWithDeviceCode(account);
    const { verificationUriComplete } = device;
    return {
      success: true as const,
      method: "device_code" as const,
      user_code: device.userCode,
      verification_uri: device.verificationUri,
      ...(verificationUriComplete !== undefined && { verification_uri_complete: verificationUriComplete }),
      expires_at: new Date(device.expiresAtMs).toISOString(),
    };
  }
}

/**
 * The callback at the address that the request was sent to.
 *
 * @throws {RequestProblem} If no provider would send a browser there.
 */
function ownCallback(requestUrl: string): string {
  const { href } = new URL("/oauth/callback", requestUrl);
  if (isSecureUrl(href)) return href;
  throw new RequestProblem(
    400,
    `Providers send a browser back to https or to this machine only, not to ${href}`,
    [{
      path: "redirect_uri",
      message: "is missing",
      hint:
        "give the https address under which browsers reach /oauth/callback, as it is registered with the app",
    }],
  );
}
