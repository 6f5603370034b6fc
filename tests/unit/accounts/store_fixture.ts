/** An account store on a temporary folder. */

import { join } from "node:path";
import { AccountStore, type AccountStoreOptions } from "../../../src/accounts/account_store.ts";
import { testProvider } from "../oauth/test_account.ts";
import { recordingLog } from "../lifecycle/recording_log.ts";

/** A folder with an accounts file; `open` opens stores on it. */
export async function accountsFolder(content?: unknown) {
  const folder = await Deno.makeTempDir();
  const file = join(folder, "accounts.json");
  const { log, messages } = recordingLog();
  if (content !== undefined) await writeAccounts(file, content);
  return {
    folder,
    file,
    messages,
    open: (options: Partial<AccountStoreOptions> = {}) =>
      AccountStore.open({
        file,
        stateDirectory: join(folder, "state"),
        resolveProvider: () => provider,
        log,
        ...options,
      }),
    write: (accounts: unknown) => writeAccounts(file, accounts),
    read: async () => JSON.parse(await Deno.readTextFile(file)),
    async [Symbol.asyncDispose]() {
      await Deno.remove(folder, { recursive: true });
    },
  };
}

const provider = testProvider();

async function writeAccounts(file: string, content: unknown): Promise<void> {
  const text = typeof content === "string" ? content : JSON.stringify(content);
  await Deno.mkdir(join(file, "..", "state"), { recursive: true });
  await Deno.writeTextFile(file, text, { mode: 0o600 });
}

/** A record of an account with a refresh token. */
export function record(email: string, fields: Record<string, unknown> = {}) {
  return {
    email,
    provider: "gmail",
    client_id: "client",
    refresh_token: `${email} token 0`,
    ...fields,
  } as const;
}
