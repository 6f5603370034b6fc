/** Decides who may sign in, in the same time and with the same words for every kind of no. */

import { createHmac, randomBytes } from "node:crypto";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import type { Credentials } from "../sasl/credentials.ts";
import { clientKey } from "./client_key.ts";
import { FairTurns } from "./fair_turns.ts";
import { isLoopbackAddress } from "./loopback_address.ts";

/** An account as far as signing in is concerned. */
export interface SignInAccount {
  readonly email: string;
  readonly username: string;
  readonly passwordHash?: string;
}

export interface AuthenticatorOptions {
  /** By user name, without regard to case. */
  readonly accountOf: (username: string) => SignInAccount | undefined;
  readonly verifyPassword: (password: string, hash: string) => Promise<boolean>;
  /** A hash that no password matches, of the same cost as real ones: an unknown user takes as long as a wrong password. */
  readonly decoyHash: string;
  /** Failures of one address within `failureWindowSeconds` before it is refused. Default: 10 in 600 s. */
  readonly maxFailures?: number;
  readonly failureWindowSeconds?: number;
  /** Counts failures, by where they come from. Default: one that does so in memory, with the two settings above. */
  readonly failures?: RateLimiterMemory;
  /** Delay after the first failure of an address; doubles with each one more, up to 8 times. Default: 250. */
  readonly failureDelayMs?: number;
}

/**
 * `refused` for anything wrong with the credentials; `locked-out` when the address has failed too often; `aborted` when the
 * session ended first.
 */
export type SignInResult = { readonly account: string } | "refused" | "locked-out" | "aborted";

/** Verified passwords that are remembered; the oldest goes first. */
const MAX_REMEMBERED = 20_000;

/** scrypt is costly on purpose: this many run at once, so that guessing can't take the processor from the relay. */
const MAX_PARALLEL_HASHES = 2;

/** Longer user names are no account's; what they are counted by is cut. */
const MAX_COUNTED_CHARS = 320;

/** Made-up names of this machine whose failures are counted at a time. */
const MAX_MADE_UP = 10_000;

/** A password being checked, for all sessions that wait for it in the same turn. */
interface Check {
  waiters: number;
  matches: Promise<boolean>;
}

/** One for the daemon. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #failures: RateLimiterMemory;
  readonly #failureDelayMs: number;
  /** Keyed digests of user, password and hash that were verified; the key lives as long as the process. */
  readonly #remembered = new Set<string>();
  readonly #digestKey = randomBytes(32);
  /** Checks under way, by turn and digest: one client's queue, or its failures, are no other's. */
  readonly #checks = new Map<string, Check>();
  /** Sources on this machine that are no account's, oldest first. */
  readonly #madeUp = new Set<string>();
  readonly #turns = new FairTurns(MAX_PARALLEL_HASHES);

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    const { maxFailures = 10, failureWindowSeconds = 600, failureDelayMs = 250 } = options;
    this.#failures = options.failures ??
      new RateLimiterMemory({ points: maxFailures, duration: failureWindowSeconds });
    this.#failureDelayMs = failureDelayMs;
  }

  /** Checks credentials. @param client Address of the client, IPv4-mapped ones in their IPv4 form. */
  async signIn(credentials: Credentials, client: string, signal: AbortSignal): Promise<SignInResult> {
    const source = failureSource(credentials, client);
    if (await this.#isLockedOut(source)) return "locked-out";
    const account = this.#options.accountOf(credentials.authenticationIdentity);
    const isGenuine = await this.#isGenuine(account, credentials, { client, source, signal });
    if (isGenuine === "aborted") return "aborted";
    if (isGenuine) return { account: account!.email };
    if (account === undefined && isLoopbackAddress(client)) await this.#noteMadeUp(source);
    return await this.#countFailure(source, signal);
  }

  /** A local program can make up names for ever: the failures of the oldest are forgotten. */
  async #noteMadeUp(source: string): Promise<void> {
    this.#madeUp.delete(source);
    this.#madeUp.add(source);
    if (this.#madeUp.size <= MAX_MADE_UP) return;
    const [oldest] = this.#madeUp;
    this.#madeUp.delete(oldest!);
    await this.#failures.delete(oldest!);
  }

  async #isLockedOut(source: string): Promise<boolean> {
    const failures = await this.#failures.get(source);
    return failures !== null && failures.remainingPoints <= 0;
  }

  async #isGenuine(
    account: SignInAccount | undefined,
    { authorizationIdentity, password }: Credentials,
    { client, source, signal }: { client: string; source: string; signal: AbortSignal },
  ): Promise<boolean | "aborted"> {
    const { decoyHash } = this.#options;
    const isOpen = account !== undefined && account.passwordHash === undefined && isLoopbackAddress(client);
    const secret = { username: account?.username ?? "", password, hash: account?.passwordHash ?? decoyHash };
    // Whatever is wrong, it costs one comparison, so that time tells nothing.
    // Made-up names have one turn in common, and one hash for the same guess: a local program can make up as many as it likes.
    const turn = account === undefined ? clientKey(client) : source;
    const matches = isOpen || await this.#matches(secret, { source, turn, signal });
    if (matches === "aborted") return matches;
    if (!account || !matches) return false;
    const wanted = authorizationIdentity.toLowerCase();
    return wanted === "" || wanted === account.username.toLowerCase() ||
      wanted === account.email.toLowerCase();
  }

  async #matches(
    { username, password, hash }: { username: string; password: string; hash: string },
    { source, turn, signal }: { source: string; turn: string; signal: AbortSignal },
  ): Promise<boolean | "aborted"> {
    const digest = createHmac("sha256", this.#digestKey).update(`${username}\0${password}\0${hash}`).digest(
      "base64",
    );
    if (this.#remembered.has(digest)) return true;
    // A client that opens all its connections at once signs in on all of them at once: one hash answers them all.
    const key = `${turn} ${digest}`;
    let check = this.#checks.get(key);
    if (!check) {
      check = { waiters: 0, matches: Promise.resolve(false) };
      check.matches = this.#hash({ password, hash, digest }, { source, turn, check, key });
      this.#checks.set(key, check);
    }
    check.waiters++;
    try {
      return await unlessAborted(check.matches, signal);
    } finally {
      check.waiters--;
    }
  }

  /**
   * Waits for its turn. Who has left by then, or has failed too often meanwhile, costs no hash any more, and neither does a
   * password that another source has verified.
   */
  async #hash(
    { password, hash, digest }: { password: string; hash: string; digest: string },
    { source, turn, check, key }: { source: string; turn: string; check: Check; key: string },
  ): Promise<boolean> {
    return await this.#turns.run(turn, async () => {
      try {
        if (await this.#isLockedOut(source) || check.waiters === 0) return false;
        if (this.#remembered.has(digest)) return true;
        const matches = await this.#options.verifyPassword(password, hash);
        if (matches) this.#remember(digest);
        return matches;
      } finally {
        // In the turn of the decision: whoever comes later is not to share one that was made without it.
        this.#checks.delete(key);
      }
    });
  }

  #remember(digest: string): void {
    this.#remembered.add(digest);
    if (this.#remembered.size <= MAX_REMEMBERED) return;
    const [oldest] = this.#remembered;
    this.#remembered.delete(oldest!);
  }

  async #countFailure(source: string, signal: AbortSignal): Promise<SignInResult> {
    let failures: number;
    try {
      failures = (await this.#failures.consume(source)).consumedPoints;
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      return "locked-out";
    }
    await pause(this.#failureDelayMs * 2 ** Math.min(failures - 1, 3), signal);
    return "refused";
  }
}

/**
 * What failures are counted by: the client. This machine is every local program's, so there it is the user name as well: one
 * program with an old password must not lock out the others.
 */
function failureSource({ authenticationIdentity }: Credentials, client: string): string {
  if (!isLoopbackAddress(client)) return clientKey(client);
  return `${clientKey(client)} ${authenticationIdentity.toLowerCase().slice(0, MAX_COUNTED_CHARS)}`;
}

/** What `promise` comes to, or "aborted" when the session ends first. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | "aborted"> {
  const aborted = Promise.withResolvers<"aborted">();
  const onAbort = () => aborted.resolve("aborted");
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Waits, or less when the session is over. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener("abort", finish, { once: true });
  });
}
