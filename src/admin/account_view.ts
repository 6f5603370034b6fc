/** An account as the API shows it: everything that isn't secret. */

import { z } from "@hono/zod-openapi";
import type { Account } from "../accounts/account.ts";
import { formatEndpoint } from "../config/endpoint.ts";
import type { TokenState } from "../oauth/token_state.ts";

/** How an account's access token stands. */
export const tokenViewSchema = z.object({
  state: z.enum(["unknown", "valid", "refreshing", "needs_authorization", "failing"]),
  expires_at: z.string().optional().openapi({ format: "date-time" }),
  last_error: z.string().optional(),
  remedy: z.string().optional(),
}).openapi("TokenState");

/** See `accountView`. */
export const accountViewSchema = z.object({
  email: z.string(),
  provider: z.string(),
  grant: z.enum(["refresh_token", "client_credentials", "service_account"]),
  client_id: z.string(),
  username: z.string(),
  sasl_user: z.string(),
  tenant: z.string().optional(),
  scope: z.string().optional(),
  smtp_endpoint: z.string(),
  has_client_secret: z.boolean(),
  has_refresh_token: z.boolean(),
  has_password: z.boolean().openapi({ description: "Without one, clients on this machine only" }),
  token: tokenViewSchema,
}).openapi("Account");

/** Shows a token's state. */
export function tokenView(state: TokenState): z.infer<typeof tokenViewSchema> {
  const { expiresAtMs, lastError, remedy } = state;
  return {
    state: state.state,
    ...(expiresAtMs !== undefined && { expires_at: new Date(expiresAtMs).toISOString() }),
    ...(lastError !== undefined && { last_error: lastError }),
    ...(remedy !== undefined && { remedy }),
  };
}

/** Shows an account. */
export function accountView(
  account: Account,
  token: TokenState = { state: "unknown" },
): z.infer<typeof accountViewSchema> {
  const { tenant, scope } = account;
  return {
    email: account.email,
    provider: account.providerName,
    grant: account.grant,
    client_id: account.clientId,
    username: account.username,
    sasl_user: account.saslUser,
    ...(tenant !== undefined && { tenant }),
    ...(scope !== undefined && { scope }),
    smtp_endpoint: formatEndpoint(account.provider.smtpEndpoint),
    has_client_secret: account.clientSecret !== undefined,
    has_refresh_token: account.refreshToken !== undefined,
    has_password: account.passwordHash !== undefined,
    token: tokenView(token),
  };
}
