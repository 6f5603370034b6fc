import type { ProviderSettings } from "../config/settings.ts";
import type { Account } from "./account.ts";

/** What a reload changes: e-mails of accounts. */
export interface AccountDifference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** Compares two sets of accounts by e-mail, settings of their providers included. */
export function differenceOf(
  before: ReadonlyMap<string, Account>,
  after: ReadonlyMap<string, Account>,
): AccountDifference {
  const sameProvider = providerComparison();
  const emails = (accounts: Iterable<Account>) => [...accounts].map(({ email }) => email);
  return {
    added: emails([...after].filter(([key]) => !before.has(key)).map(([, account]) => account)),
    removed: emails([...before].filter(([key]) => !after.has(key)).map(([, account]) => account)),
    changed: emails(
      [...after].filter(([key, account]) => {
        const old = before.get(key);
        return old !== undefined &&
          !(sameFields(old, account) && sameProvider(old.provider, account.provider));
      }).map(([, account]) => account),
    ),
  };
}

function sameFields(one: Account, other: Account): boolean {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]) as Set<keyof Account>;
  return [...keys].every((key) => key === "provider" || one[key] === other[key]);
}

/** Thousands of accounts share one settings object; each pair is compared once. */
function providerComparison(): (one: ProviderSettings, other: ProviderSettings) => boolean {
  const known = new Map<ProviderSettings, Map<ProviderSettings, boolean>>();
  return (one, other) => {
    if (one === other) return true;
    const results = known.get(one) ?? new Map<ProviderSettings, boolean>();
    known.set(one, results);
    const same = results.get(other) ?? JSON.stringify(one) === JSON.stringify(other);
    results.set(other, same);
    return same;
  };
}
