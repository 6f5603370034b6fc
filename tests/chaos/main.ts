/** Runs chaos by hand: `deno run -A tests/chaos/main.ts [--seeds 20] [--seconds 20] [--from 1]`. */

import { parseArgs } from "node:util";
import { runChaos } from "./chaos.ts";
import { describeChaos } from "./describe_chaos.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seeds: { type: "string", default: "20" },
    seconds: { type: "string", default: "20" },
    from: { type: "string", default: "1" },
    details: { type: "boolean", default: false },
  },
});

let violations = 0;
const print = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
for (let seed = Number(values.from); seed < Number(values.from) + Number(values.seeds); seed++) {
  const report = await runChaos({ seed, durationMs: Number(values.seconds) * 1000 });
  print(describeChaos(report));
  if (values.details) {
    print(JSON.stringify({ deeds: [...report.deeds], endings: [...report.endings] }, null, 1));
  }
  violations += report.violations.length;
}
print(violations === 0 ? "All seeds passed" : `${violations} violations`);
Deno.exitCode = violations === 0 ? 0 : 1;
