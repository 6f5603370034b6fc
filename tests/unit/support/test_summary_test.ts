import assert from "node:assert/strict";
import { readJunit, unexpectedSkips } from "../../support/test_summary.ts";

const REPORT = `<testsuites><testsuite name="a_test.ts">
  <testcase name="one" time="0.1"></testcase>
  <testcase name="two &quot;quoted&quot;" time="0.1"><skipped/></testcase>
  <testcase name="three"><failure message="no">text</failure></testcase>
  <testcase name="four"/>
</testsuite></testsuites>`;

Deno.test("readJunit counts what passed, failed and was skipped", () => {
  assert.deepEqual(readJunit(REPORT), { passed: 2, failed: 1, skipped: ['two "quoted"'] });
});

Deno.test("unexpectedSkips knows the listed ones by the beginning of their names", () => {
  const list = "# comment\n\nWindows -- no Wine here\n";
  assert.deepEqual(unexpectedSkips(["Windows drains", "Linux drains"], list), ["Linux drains"]);
});
