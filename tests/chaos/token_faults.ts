/** A token endpoint that fails in every way, rotates refresh tokens, and watches that rotated ones reach the disk first. */

import type { ScriptedTokenEndpoint, TokenAnswer, TokenRequest } from "../support/token_endpoint.ts";
import type { Stall } from "./provider_faults.ts";
import type { Random } from "./random.ts";

/** What the faults depend on. */
export interface TokenFaultsOptions {
  readonly random: Random;
  readonly stall: Stall;
  /** Refresh tokens are replaced at times. */
  readonly rotates: boolean;
  /** The refresh token of an account, as it is on disk now. */
  readonly refreshTokenOnDisk: (email: string) => string | undefined;
}

/** One for a run; the `client_id` of an account is its e-mail here, by which requests are told apart. */
export class TokenFaults {
  readonly #options: TokenFaultsOptions;
  /** Access tokens and the refresh token that was issued with each. */
  readonly #issuedWith = new Map<string, { readonly email: string; readonly refreshToken: string }>();
  /** Refresh tokens by account, oldest first. */
  readonly #history = new Map<string, string[]>();
  readonly #beingChanged = new Set<string>();
  /** Access tokens that were shown before their refresh token was on disk. */
  readonly usedTooEarly: string[] = [];
  /** Of a fault, at each request. */
  probability = 0;
  #number = 0;

  constructor(endpoint: ScriptedTokenEndpoint, options: TokenFaultsOptions) {
    this.#options = options;
    endpoint.always((request) => this.#answer(request));
  }

  /** To be called around an operator's change of an account's refresh token. */
  async whileChanging(email: string, refreshToken: string, change: () => Promise<void>): Promise<void> {
    this.#beingChanged.add(email);
    try {
      await change();
    } finally {
      this.#remember(email, refreshToken);
      this.#beingChanged.delete(email);
    }
  }

  /** Looks at a token that a mail server is shown. */
  check(accessToken: string): void {
    const issued = this.#issuedWith.get(accessToken);
    if (!issued || this.#beingChanged.has(issued.email)) return;
    const history = this.#history.get(issued.email) ?? [];
    const onDisk = this.#options.refreshTokenOnDisk(issued.email);
    if (onDisk === undefined) return; // removed meanwhile
    if (history.lastIndexOf(onDisk) < history.lastIndexOf(issued.refreshToken)) {
      this.usedTooEarly.push(`${issued.email}: ${issued.refreshToken} was issued, ${onDisk} is on disk`);
    }
  }

  #remember(email: string, refreshToken: string): void {
    const history = this.#history.get(email) ?? [];
    history.push(refreshToken);
    this.#history.set(email, history);
  }

  #answer(request: TokenRequest): TokenAnswer {
    const { random } = this.#options;
    return random.chance(this.probability) ? this.#fault() : this.#success(request);
  }

  #success({ form }: TokenRequest): TokenAnswer {
    const { random, rotates } = this.#options;
    const email = form.get("client_id") ?? "";
    const accessToken = `access-${++this.#number}`;
    const rotated = rotates && random.chance(0.5) ? `rotated-${this.#number}` : undefined;
    if (rotated !== undefined) {
      this.#remember(email, rotated);
      this.#issuedWith.set(accessToken, { email, refreshToken: rotated });
    }
    return {
      body: {
        access_token: accessToken,
        token_type: "Bearer",
        expires_in: random.pick([1, 2, 5, 60, 3600]),
        ...(rotated !== undefined && { refresh_token: rotated }),
      },
    };
  }

  #fault(): TokenAnswer {
    const { random, stall } = this.#options;
    // Lasts until the operator authorizes the account anew.
    if (random.chance(0.03)) return { status: 400, body: { error: "invalid_grant" } };
    return random.pick<TokenAnswer>([
      "reset",
      "close",
      { until: stall.over, then: "reset" },
      { status: 500, body: "oops" },
      { status: 503, headers: { "retry-after": "0" }, body: "later" },
      { status: 429, headers: { "retry-after": "1" }, body: { error: "slow_down" } },
      { status: 200, body: { access_token: "cut-off" }, truncated: true },
      { status: 200, body: "<html>portal</html>" },
      { status: 200, body: { token_type: "Bearer" } },
    ]);
  }
}
