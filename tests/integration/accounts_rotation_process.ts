/**
 * A process to be killed: rotates the refresh tokens of all accounts again and again, and adds and removes accounts
 * meanwhile. A line is printed for each change that is on disk.
 */

import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { AccountStore } from "../../src/accounts/account_store.ts";
import { testProvider } from "../unit/oauth/test_account.ts";

const encoder = new TextEncoder();

function say(line: string): void {
  Deno.stdout.writeSync(encoder.encode(`${line}\n`));
}

async function openStore(folder: string): Promise<AccountStore> {
  const provider = testProvider();
  return await AccountStore.open({
    file: join(folder, "accounts.json"),
    stateDirectory: folder,
    resolveProvider: () => provider,
    log: getLogger("test"),
  });
}

async function rotate(store: AccountStore, email: string): Promise<void> {
  for (;;) {
    const next = Number(store.get(email)?.refreshToken) + 1;
    await store.rotateRefreshToken(email, String(next));
    say(`${email} ${next}`);
  }
}

async function addAndRemove(store: AccountStore): Promise<void> {
  for (let count = 0;; count++) {
    const email = `guest${crypto.randomUUID()}@example.com`;
    await store.add({ email, provider: "gmail", client_id: "client", refresh_token: "1" });
    say(`added ${email}`);
    if (count % 2 === 0) continue;
    await store.remove(email);
    say(`removed ${email}`);
  }
}

// A pattern of test files may name this one too; it is nothing to be imported.
if (import.meta.main) {
  const store = await openStore(Deno.args[0] ?? ".");
  await Promise.all([...store.list().map(({ email }) => rotate(store, email)), addAndRemove(store)]);
}
