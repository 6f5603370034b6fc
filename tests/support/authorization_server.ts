/**
 * An authorization server for browsers: a consent page, the code grant with PKCE, device codes and refresh tokens, as
 * strict about them as Google and Microsoft are.
 */

import { createHash, randomUUID } from "node:crypto";

/** How the server behaves. */
export interface AuthorizationServerOptions {
  readonly clientId?: string;
  readonly clientSecret?: string;
  /** What the device endpoint says in place of its own page. */
  readonly verificationUri?: string;
}

interface Authorization {
  readonly redirectUri: string;
  readonly challenge: string;
  readonly email: string;
}

/** A running server on 127.0.0.1. */
export class AuthorizationServer implements AsyncDisposable {
  readonly clientId: string;
  readonly clientSecret: string;
  /** Every form that the token endpoint was sent. */
  readonly tokenRequests: URLSearchParams[] = [];
  /** Device codes that a user has allowed count at the next poll. */
  readonly allowedDevices = new Set<string>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #verificationUri: string | undefined;
  readonly #codes = new Map<string, Authorization>();
  /** Refresh and access tokens that work. */
  readonly #refreshTokens = new Set<string>();
  readonly #accessTokens = new Set<string>();

  private constructor(options: AuthorizationServerOptions) {
    this.clientId = options.clientId ?? "app-of-the-tests";
    this.clientSecret = options.clientSecret ?? "secret-of-the-tests";
    this.#verificationUri = options.verificationUri;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(request),
    );
  }

  /** Starts a server. */
  static start(options: AuthorizationServerOptions = {}): AuthorizationServer {
    return new AuthorizationServer(options);
  }

  /** Base URL. */
  get origin(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** What a provider in config.json says of it. */
  get providerSettings(): Record<string, string> {
    return {
      oauth_token_url: `${this.origin}/token`,
      authorization_url: `${this.origin}/authorize`,
      device_authorization_url: `${this.origin}/device`,
      scope: "send offline_access",
    };
  }

  /** Whether a mail server may accept the token. */
  isAccessToken(token: string): boolean {
    return this.#accessTokens.has(token);
  }

  /** A refresh token that works, for accounts that are there from the start. */
  grantRefreshToken(): string {
    return this.#remember(this.#refreshTokens, "refresh");
  }

  /** The provider takes every grant back. */
  revokeAll(): void {
    this.#refreshTokens.clear();
    this.#accessTokens.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    switch (`${request.method} ${url.pathname}`) {
      case "GET /authorize":
        return consentPage(url.searchParams);
      case "POST /consent":
        return this.#decide(url.searchParams, await readForm(request));
      case "POST /device":
        return this.#startDevice();
      case "POST /token":
        return this.#token(await readForm(request));
      case "GET /favicon.ico":
        return new Response(null, { status: 204 });
      default:
        return new Response("Not found\n", { status: 404 });
    }
  }

  #decide(asked: URLSearchParams, answer: URLSearchParams): Response {
    const redirectUri = asked.get("redirect_uri") ?? "";
    const back = new URL(redirectUri);
    back.searchParams.set("state", asked.get("state") ?? "");
    if (answer.get("decision") === "allow") {
      const code = randomUUID();
      const challenge = asked.get("code_challenge") ?? "";
      this.#codes.set(code, { redirectUri, challenge, email: asked.get("login_hint") ?? "" });
      back.searchParams.set("code", code);
    } else {
      back.searchParams.set("error", "access_denied");
      back.searchParams.set("error_description", "The user <b>declined</b>");
    }
    return new Response(null, { status: 302, headers: { location: back.href } });
  }

  #startDevice(): Response {
    return Response.json({
      device_code: randomUUID(),
      user_code: "WDJB-MJHT",
      verification_uri: this.#verificationUri ?? `${this.origin}/devicelogin`,
      expires_in: 900,
      interval: 1,
    });
  }

  #token(form: URLSearchParams): Response {
    this.tokenRequests.push(form);
    if (form.get("client_id") !== this.clientId || form.get("client_secret") !== this.clientSecret) {
      return refusal("invalid_client", "The client is unknown or its secret is wrong.", 401);
    }
    switch (form.get("grant_type")) {
      case "authorization_code":
        return this.#redeem(form);
      case "refresh_token":
        return this.#refreshTokens.has(form.get("refresh_token") ?? "")
          ? this.#grant({})
          : refusal("invalid_grant", "Token has been expired or revoked.");
      case "urn:ietf:params:oauth:grant-type:device_code":
        return this.allowedDevices.has("any")
          ? this.#grant({ refresh_token: this.grantRefreshToken() })
          : refusal("authorization_pending", "The user has not answered yet.");
      default:
        return refusal("unsupported_grant_type", "There is no such grant.");
    }
  }

  /** A code counts once, for the same redirect URI, with the verifier of its challenge (RFC 7636 §4.6). */
  #redeem(form: URLSearchParams): Response {
    const code = form.get("code") ?? "";
    const authorization = this.#codes.get(code);
    this.#codes.delete(code);
    const challenge = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
    const isGood = authorization?.redirectUri === form.get("redirect_uri") &&
      authorization?.challenge === challenge;
    return isGood
      ? this.#grant({ refresh_token: this.grantRefreshToken() })
      : refusal("invalid_grant", "The code is wrong or was used.");
  }

  #grant(more: Record<string, string>): Response {
    const access_token = this.#remember(this.#accessTokens, "access");
    return Response.json({ access_token, token_type: "Bearer", expires_in: 3600, ...more });
  }

  #remember(tokens: Set<string>, kind: string): string {
    const token = `${kind}-${randomUUID()}`;
    tokens.add(token);
    return token;
  }
}

function consentPage(asked: URLSearchParams): Response {
  const missing = ["client_id", "redirect_uri", "state", "code_challenge", "scope"].filter((name) =>
    !asked.get(name)
  );
  if (missing.length > 0 || asked.get("code_challenge_method") !== "S256") {
    return new Response(`Bad request: ${missing.join(", ")}\n`, { status: 400 });
  }
  const action = `/consent?${asked}`.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  const page = `<!doctype html><title>Sign in</title><form method="post" action="${action}">
    <button name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button></form>`;
  return new Response(page, { headers: { "content-type": "text/html" } });
}

async function readForm(request: Request): Promise<URLSearchParams> {
  return new URLSearchParams(await request.text());
}

function refusal(error: string, error_description: string, status = 400): Response {
  return Response.json({ error, error_description }, { status });
}
