import assert from "node:assert/strict";
import { MailboxDirectory } from "../../../src/daemon/mailbox_directory.ts";
import { TokenService } from "../../../src/oauth/token_service.ts";
import { accountsFolder, record } from "../accounts/store_fixture.ts";
import { recordingLog } from "../lifecycle/recording_log.ts";

const email = "a@example.com";

async function openDirectory() {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await accountsFolder([record(email)]));
  const store = await folder.open();
  const tokens = stack.use(
    new TokenService({ tokenTimeoutMs: 1000, persist: () => Promise.resolve(), log: recordingLog().log }),
  );
  const owned = stack.move();
  return {
    store,
    mailboxes: new MailboxDirectory({ store, tokens }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

Deno.test("MailboxDirectory.refresh tells of a change although the mailbox was asked for meanwhile", async () => {
  await using test = await openDirectory();
  const { store, mailboxes } = test;
  const before = mailboxes.get(email);
  await store.update(email, { sasl_user: "shared@example.com" });
  assert.equal(mailboxes.get(email), before, "whoever holds the mailbox has not heard of the change");
  const { changed, ...others } = mailboxes.refresh();
  assert.deepEqual(changed.map(({ saslUser }) => saslUser), ["shared@example.com"]);
  assert.deepEqual(others, { removed: [], renewed: [] });
  assert.equal(mailboxes.get(email), changed[0]);
  assert.deepEqual(mailboxes.refresh(), { removed: [], changed: [], renewed: [] });
});

Deno.test("MailboxDirectory.refresh tells of a new grant although the mailbox was asked for meanwhile", async () => {
  await using test = await openDirectory();
  const { store, mailboxes } = test;
  mailboxes.get(email);
  await store.update(email, { refresh_token: "new" });
  mailboxes.get(email);
  assert.deepEqual(mailboxes.refresh().renewed.map((mailbox) => mailbox.email), [email]);
});

Deno.test("MailboxDirectory has no mailbox of a removed account, and tells of one that came back as another", async () => {
  await using test = await openDirectory();
  const { store, mailboxes } = test;
  mailboxes.get(email);
  await store.remove(email);
  assert.equal(mailboxes.get(email), undefined);
  await store.add(record(email, { sasl_user: "shared@example.com" }));
  mailboxes.get(email);
  assert.equal(mailboxes.refresh().changed.length, 1);
  await store.remove(email);
  assert.deepEqual(mailboxes.refresh().removed, [email]);
});
