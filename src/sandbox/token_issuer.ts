/**
 * What stands behind the sandbox's token endpoint: clients, refresh tokens and the access tokens made from them
 * (RFC 6749 §4.4, §6). Pure but for randomness; the clock is given.
 */

import { Buffer } from "node:buffer";

/** A mailbox of the sandbox, with all that a proxy and its client need to send as it. */
export interface SandboxAccount {
  readonly email: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** The first one; a rotation makes others. */
  readonly refreshToken: string;
  /** What SMTP clients sign in to the proxy with. The sandbox itself never sees it. */
  readonly password: string;
}

/** A successful token response (RFC 6749 §5.1). */
export interface TokenGrant {
  readonly accessToken: string;
  readonly expiresInSeconds: number;
  /** Present when the refresh token was rotated. */
  readonly refreshToken?: string;
}

/** Refusals of a token endpoint (RFC 6749 §5.2). */
export type TokenRefusal = "invalid_client" | "invalid_grant";

/** Who asks: the client's identifier and secret, as the request has them. */
export interface ClientCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** Collaborators and behaviour of a `TokenIssuer`. */
export interface TokenIssuerOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Life of an access token. */
  readonly expiresInSeconds: number;
  /** Length of an access token; Microsoft's exceed a command line, Google's don't. */
  readonly accessTokenCharacters: number;
}

interface IssuedToken {
  readonly email: string;
  expiresAtMs: number;
}

/** Issues and checks the sandbox's tokens. */
export class TokenIssuer {
  readonly #options: TokenIssuerOptions;
  readonly #accounts = new Map<string, SandboxAccount>();
  readonly #refreshTokens = new Map<string, SandboxAccount>();
  readonly #accessTokens = new Map<string, IssuedToken>();
  /** Each refresh answers with a new refresh token and ends the old one. */
  rotatesRefreshTokens = false;

  constructor(options: TokenIssuerOptions) {
    this.#options = options;
  }

  /** Opens a mailbox with fresh credentials; one that exists already is returned as it is. */
  addAccount(email: string): SandboxAccount {
    const key = email.toLowerCase();
    const existing = this.#accounts.get(key);
    if (existing) return existing;
    const account: SandboxAccount = {
      email,
      clientId: `sandbox-${randomText(12)}`,
      clientSecret: randomText(32),
      refreshToken: randomText(64),
      password: randomText(16),
    };
    this.#accounts.set(key, account);
    this.#refreshTokens.set(account.refreshToken, account);
    return account;
  }

  /** The refresh token grant (RFC 6749 §6). */
  refresh(client: ClientCredentials, refreshToken: string): TokenGrant | TokenRefusal {
    const account = this.#accountOf(client);
    if (!account) return "invalid_client";
    if (this.#refreshTokens.get(refreshToken) !== account) return "invalid_grant";
    const grant = this.#issue(account);
    if (!this.rotatesRefreshTokens) return grant;
    this.#refreshTokens.delete(refreshToken);
    const rotated = randomText(64);
    this.#refreshTokens.set(rotated, account);
    return { ...grant, refreshToken: rotated };
  }

  /** The client credentials grant (RFC 6749 §4.4): the client stands for its one mailbox. */
  grantClient(client: ClientCredentials): TokenGrant | TokenRefusal {
    const account = this.#accountOf(client);
    return account ? this.#issue(account) : "invalid_client";
  }

  /** Whether `accessToken` is good for the mailbox `email` now. */
  accepts(accessToken: string, email: string): boolean {
    const token = this.#accessTokens.get(accessToken);
    return token !== undefined && token.email.toLowerCase() === email.toLowerCase() &&
      token.expiresAtMs > this.#options.now();
  }

  /** Ends every access token; refresh tokens stay good. */
  expireAccessTokens(): void {
    this.#accessTokens.clear();
  }

  /** Ends the grant of `email`, as when a user withdraws consent: refreshes answer `invalid_grant` from now on. */
  revoke(email: string): void {
    const key = email.toLowerCase();
    for (const [token, account] of this.#refreshTokens) {
      if (account.email.toLowerCase() === key) this.#refreshTokens.delete(token);
    }
    for (const [token, issued] of this.#accessTokens) {
      if (issued.email.toLowerCase() === key) this.#accessTokens.delete(token);
    }
  }

  #accountOf(client: ClientCredentials): SandboxAccount | undefined {
    for (const account of this.#accounts.values()) {
      if (account.clientId === client.clientId) {
        return account.clientSecret === client.clientSecret ? account : undefined;
      }
    }
    return undefined;
  }

  #issue(account: SandboxAccount): TokenGrant {
    const accessToken = randomText(this.#options.accessTokenCharacters);
    const { expiresInSeconds } = this.#options;
    this.#accessTokens.set(accessToken, {
      email: account.email,
      expiresAtMs: this.#options.now() + expiresInSeconds * 1000,
    });
    return { accessToken, expiresInSeconds };
  }
}

function randomText(characters: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(Math.ceil(characters * 0.75)));
  return Buffer.from(bytes).toString("base64url").slice(0, characters);
}
