import type { Settings } from "./settings.ts";

/** The listener that sends everything as this account, by its path in config.json; without it a start would be refused. */
export function listenerOfAccount(
  { listeners, adminOnly }: Pick<Settings, "listeners" | "adminOnly">,
  email: string,
): string | undefined {
  if (adminOnly) return undefined;
  const index = listeners.findIndex(({ account }) => account?.toLowerCase() === email.toLowerCase());
  return index < 0 ? undefined : `listeners[${index}].account`;
}
