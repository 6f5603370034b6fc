/** The sandbox's token endpoint: RFC 6749 §3.2 over plain HTTP on loopback, for the grants that a daemon uses by itself. */

import type { ClientCredentials, TokenGrant, TokenIssuer, TokenRefusal } from "./token_issuer.ts";

/** Where the endpoint listens, and what it serves. */
export interface TokenEndpointOptions {
  readonly hostname: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly issuer: TokenIssuer;
}

/** A running token endpoint. */
export interface TokenEndpoint extends AsyncDisposable {
  readonly url: string;
  /** Requests answered since the start. */
  readonly requestCount: number;
}

const DESCRIPTIONS: Record<TokenRefusal, string> = {
  invalid_client: "The client is unknown or its secret is wrong.",
  invalid_grant: "Token has been expired or revoked.",
};

/** Starts the endpoint; it serves `POST /token`. */
export function startTokenEndpoint({ hostname, port, issuer }: TokenEndpointOptions): TokenEndpoint {
  let requestCount = 0;
  const server = Deno.serve({ hostname, port, onListen: () => {} }, (request) => {
    requestCount++;
    return answer(request, issuer);
  });
  const host = server.addr.hostname.includes(":") ? `[${server.addr.hostname}]` : server.addr.hostname;
  return {
    url: `http://${host}:${server.addr.port}/token`,
    get requestCount() {
      return requestCount;
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function answer(request: Request, issuer: TokenIssuer): Promise<Response> {
  if (new URL(request.url).pathname !== "/token") return new Response("Not found\n", { status: 404 });
  if (request.method !== "POST") {
    return new Response("Use POST\n", { status: 405, headers: { allow: "POST" } });
  }
  const form = new URLSearchParams(await request.text());
  const basic = basicCredentials(request.headers.get("authorization"));
  const client = basic ?? {
    clientId: form.get("client_id") ?? "",
    clientSecret: form.get("client_secret") ?? "",
  };
  switch (form.get("grant_type")) {
    case "refresh_token":
      return respond(issuer.refresh(client, form.get("refresh_token") ?? ""));
    case "client_credentials":
      return respond(issuer.grantClient(client));
    default:
      return json(400, {
        error: "unsupported_grant_type",
        error_description: "Use refresh_token or client_credentials.",
      });
  }
}

/** Without a `WWW-Authenticate` field on 401, as Google and Microsoft answer, whatever RFC 6749 §5.2 asks. */
function respond(outcome: TokenGrant | TokenRefusal): Response {
  if (typeof outcome === "string") {
    const status = outcome === "invalid_client" ? 401 : 400;
    return json(status, { error: outcome, error_description: DESCRIPTIONS[outcome] });
  }
  return json(200, {
    access_token: outcome.accessToken,
    token_type: "Bearer",
    expires_in: outcome.expiresInSeconds,
    ...(outcome.refreshToken === undefined ? {} : { refresh_token: outcome.refreshToken }),
  });
}

function json(status: number, body: Record<string, unknown>): Response {
  return Response.json(body, { status, headers: { "cache-control": "no-store", pragma: "no-cache" } });
}

/** Client authentication by HTTP Basic; identifier and secret are form-encoded inside (RFC 6749 §2.3.1). */
function basicCredentials(authorization: string | null): ClientCredentials | undefined {
  const match = /^basic +([A-Za-z0-9+/]+=*)$/i.exec(authorization ?? "");
  if (!match?.[1]) return undefined;
  const [clientId = "", clientSecret = ""] = atob(match[1]).split(":", 2).map(decodeFormText);
  return { clientId, clientSecret };
}

function decodeFormText(text: string): string {
  return new URLSearchParams(`value=${text}`).get("value") ?? "";
}
