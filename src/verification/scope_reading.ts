/** What an access token is good for, as far as that can be read: from the token response, or from a JWT of Microsoft's. */

import { Buffer } from "node:buffer";
import type { Account } from "../accounts/account.ts";
import type { GrantedTokens } from "../oauth/access_token.ts";

/** For people; never the token. */
export interface ScopeReading {
  readonly detail: string;
  /** Set if the token looks like one that the mail server will refuse. Only signing in tells for certain. */
  readonly remedy?: string;
}

/** Scopes that are no permission to send. */
const companions = new Set(["offline_access", "openid", "profile", "email"]);
/** Exchange Online by name or by its application id. */
const exchangeAudience =
  /^(https:\/\/([a-z0-9-]+\.)*outlook\.[a-z0-9.-]+\/?|00000002-0000-0ff1-ce00-000000000000)$/i;

/** Reads scope and audience. */
export function readScope(tokens: GrantedTokens, account: Account): ScopeReading {
  const claims = readClaims(tokens.accessToken.value);
  const audience = textClaim(claims, "aud");
  const granted = tokens.scope ?? textClaim(claims, "scp");
  const wanted = wantedScopes(account);
  if (audience !== undefined && isForExchange(wanted) && !exchangeAudience.test(audience)) {
    return {
      detail: `audience ${audience}`,
      remedy: `Set scope to ${wanted[0]} and authorize the account again: its token is for ${audience}`,
    };
  }
  const detail = [
    ...(granted === undefined ? [] : [`scope ${granted}`]),
    ...(audience === undefined ? [] : [`audience ${audience}`]),
  ].join(", ");
  if (granted === undefined) return { detail: detail || "not told by the provider" };
  const held = new Set(granted.split(/\s+/).map(lastPart));
  const missing = wanted.filter((scope) => !held.has(lastPart(scope)));
  if (missing.length === 0) return { detail };
  const remedy = `Authorize the account again and allow ${missing.join(" ")}: the grant lacks it`;
  return { detail: `${detail}; lacks ${missing.join(" ")}`, remedy };
}

function wantedScopes({ scope, provider }: Account): string[] {
  const words = (scope ?? provider.scope ?? "").split(/\s+/);
  return words.filter((word) => word !== "" && !companions.has(word) && !word.endsWith("/.default"));
}

function isForExchange(wanted: readonly string[]): boolean {
  return wanted.some((scope) => /\/SMTP\.Send$/i.test(scope));
}

/** Microsoft writes a scope with its resource in one place and without in another. */
function lastPart(scope: string): string {
  return scope.toLowerCase().replace(/\/$/, "").split("/").at(-1) ?? "";
}

/** The claims of a JWT (RFC 7519 §3), unverified: they are only shown. */
function readClaims(token: string): Record<string, unknown> {
  const [, payload] = token.split(".");
  if (!token.startsWith("eyJ") || !payload) return {};
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
    return typeof claims === "object" && claims !== null ? claims as Record<string, unknown> : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function textClaim(claims: Record<string, unknown>, name: string): string | undefined {
  const value = claims[name];
  return typeof value === "string" && /^[\x21-\x7e ]{1,300}$/.test(value) ? value : undefined;
}
