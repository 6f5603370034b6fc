import assert from "node:assert/strict";
import { table } from "../../../src/cli/table.ts";

Deno.test("table aligns words to the left and numbers to the right", () => {
  assert.deepEqual(table(["NAME", "COUNT", "NOTE"], [["anna", 1, ""], ["b", 1000, "x"]]), [
    "NAME  COUNT  NOTE",
    "anna      1",
    "b      1000  x",
  ]);
});

Deno.test("table takes a missing number for a number", () => {
  assert.deepEqual(table(["N", "M"], [["", "a"], [10, "b"]]), [" N  M", "    a", "10  b"]);
});
