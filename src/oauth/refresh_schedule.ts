import type { ProviderSettings } from "../config/settings.ts";
import type { AccessToken } from "./access_token.ts";

/** Runs a callback once, later; the result cancels it. */
export type Schedule = (run: () => void, delayMs: number) => () => void;

/** From when on a token is replaced ahead of its end, and from when on it is no longer handed out. */
export interface TokenMargins {
  readonly refreshAtMs: number;
  readonly usableUntilMs: number;
}

const refreshAheadMs = 300_000;
const usableAheadMs = 30_000;
/** Microsoft's high volume service refuses tokens with less than 600 seconds to live. */
const highVolumeHost = "smtp-hve.office365.com";
const highVolumeAheadMs = 630_000;

/** The longest that setTimeout takes. */
const longestDelayMs = 2 ** 31 - 1;

/**
 * Sets the margins of a token: refreshed 5 to 10 minutes ahead of its end, spread so that accounts whose tokens came
 * together are not refreshed together; short-lived tokens in the last half of their life.
 *
 * @param random From 0 to below 1.
 */
export function tokenMargins(
  token: AccessToken,
  { nowMs, random, provider }: {
    readonly nowMs: number;
    readonly random: number;
    readonly provider: ProviderSettings;
  },
): TokenMargins {
  const lifetimeMs = Math.max(token.expiresAtMs - nowMs, 0);
  const highVolume = provider.smtpEndpoint.hostname === highVolumeHost;
  const usableMs = Math.min(highVolume ? highVolumeAheadMs : usableAheadMs, lifetimeMs / 10);
  const aheadMs = Math.min(refreshAheadMs + (highVolume ? highVolumeAheadMs : 0), lifetimeMs / 4);
  return {
    refreshAtMs: token.expiresAtMs - aheadMs * (1 + random),
    usableUntilMs: token.expiresAtMs - usableMs,
  };
}

/** The platform's timer, which does not keep the process alive. */
export function scheduleTimer(run: () => void, delayMs: number): () => void {
  const timer = setTimeout(run, Math.min(Math.max(delayMs, 0), longestDelayMs));
  Deno.unrefTimer(timer);
  return () => clearTimeout(timer);
}
