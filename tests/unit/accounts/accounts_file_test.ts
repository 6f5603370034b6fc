import assert from "node:assert/strict";
import {
  AccountsDocument,
  parseAccountsDocument,
  type RawRecord,
} from "../../../src/accounts/accounts_file.ts";

function documentOf(...records: RawRecord[]) {
  return parseAccountsDocument(JSON.stringify(records), "accounts.json");
}

Deno.test("AccountsDocument looks up by the names that records have after each edit", () => {
  const document = documentOf({ email: "A@x" }, { email: "b@x", username: "B" }, { email: "c@x" });
  assert.equal(document.find("a@X")?.["email"], "A@x");
  assert.equal(document.holderOf("b"), "b@x");
  document.put("b@x", { email: "d@x", username: "a@x" });
  assert.equal(document.find("b@x"), undefined);
  assert.deepEqual([document.holderOf("b"), document.holderOf("A@x")], [undefined, "d@x"]);
  assert.equal(document.remove("a@x"), true);
  assert.equal(document.remove("a@x"), false);
  assert.equal(document.holderOf("a@x"), "d@x", "the name has another account by now");
  document.put("e@x", { email: "e@x" });
  assert.equal(document.find("e@x")?.["email"], "e@x");
  assert.deepEqual(document.records.map(({ email }) => email), ["d@x", "c@x", "e@x"]);
  assert.deepEqual(JSON.parse(document.serialize()), document.records);
});

/** Counts how often the e-mails of records are read. */
function countedRecords(count: number) {
  const reads = { count: 0 };
  const records = Array.from({ length: count }, (_, index) =>
    Object.defineProperty({}, "email", {
      enumerable: true,
      get() {
        reads.count++;
        return `${index}@x`;
      },
    }) as RawRecord);
  return { records, reads };
}

Deno.test("AccountsDocument reads each record a few times however many edits are made", () => {
  const count = 2000;
  const { records, reads } = countedRecords(count);
  const document = new AccountsDocument(records);
  for (let index = 0; index < count; index++) {
    document.put(`new${index}@x`, { email: `new${index}@x` });
    assert.ok(document.holderOf(`${index}@x`));
    assert.ok(document.remove(`${index}@x`));
  }
  assert.ok(reads.count <= 4 * count, `${reads.count} reads`);
});
