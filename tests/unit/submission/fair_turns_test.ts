import assert from "node:assert/strict";
import { FairTurns } from "../../../src/submission/fair_turns.ts";

Deno.test("FairTurns lets a newcomer pass a crowd from one source", async () => {
  const turns = new FairTurns(1);
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const tasks = [turns.run("crowd", () => gate.promise)];
  for (const name of ["a", "b", "c"]) {
    tasks.push(turns.run("crowd", () => Promise.resolve(void order.push(name))));
  }
  tasks.push(turns.run("newcomer", () => Promise.resolve(void order.push("newcomer"))));
  gate.resolve();
  await Promise.all(tasks);
  assert.deepEqual(order, ["a", "newcomer", "b", "c"]);
});

Deno.test("FairTurns runs no more than allowed, and a failure gives its place back", async () => {
  const turns = new FairTurns(2);
  let running = 0;
  let most = 0;
  const task = async () => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
    throw new Error("failed");
  };
  const outcomes = await Promise.allSettled(
    ["a", "b", "a", "c", "a"].map((source) => turns.run(source, task)),
  );
  assert.equal(outcomes.filter(({ status }) => status === "rejected").length, 5);
  assert.equal(most, 2);
  assert.equal(await turns.run("d", () => Promise.resolve("done")), "done");
});
