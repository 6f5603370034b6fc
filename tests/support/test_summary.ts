/**
 * The end of a run: counts a JUnit report, names every skipped test, and fails on a skip that is not expected.
 *
 * `deno run --allow-read test_summary.ts REPORT SKIPS FAILED-STEPS`; prints `N passed, N failed, N skipped` last.
 */

/** What a report says. */
export interface TestSummary {
  readonly passed: number;
  readonly failed: number;
  /** Names of the tests that did not run. */
  readonly skipped: readonly string[];
}

/** Reads the part of JUnit's format that Deno writes: one `testcase` a test, with a child that says what went wrong. */
export function readJunit(xml: string): TestSummary {
  let passed = 0;
  let failed = 0;
  const skipped: string[] = [];
  for (
    const [, attributes = "", body = ""] of xml.matchAll(
      /<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g,
    )
  ) {
    const name = unescape(/\bname="([^"]*)"/.exec(attributes)?.[1] ?? "");
    if (body.includes("<skipped")) skipped.push(name);
    else if (/<(?:failure|error)\b/.test(body)) failed++;
    else passed++;
  }
  return { passed, failed, skipped };
}

/** Skips that the list doesn't name. Lines of the list: the beginning of a name, ` -- `, the reason; `#` begins a comment. */
export function unexpectedSkips(skipped: readonly string[], list: string): string[] {
  const expected = list.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"))
    .map((line) => line.split(" -- ")[0]!.trim());
  return skipped.filter((name) => !expected.some((prefix) => name.startsWith(prefix)));
}

/** Where the tests did not even start there is no report; that they failed is counted as a step. */
async function readReport(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

function unescape(text: string): string {
  return text.replaceAll("&quot;", '"').replaceAll("&apos;", "'").replaceAll("&#39;", "'").replaceAll(
    "&lt;",
    "<",
  )
    .replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

if (import.meta.main) {
  const [report = "", skips = "", failedSteps = "0"] = Deno.args;
  const encoder = new TextEncoder();
  const print = (line: string) => Deno.stdout.writeSync(encoder.encode(`${line}\n`));
  const { passed, failed, skipped } = readJunit(await readReport(report));
  const unexpected = unexpectedSkips(skipped, await Deno.readTextFile(skips));
  for (const name of skipped) print(`skipped: ${name}`);
  for (const name of unexpected) print(`FAILED: skipped without being listed in ${skips}: ${name}`);
  const all = failed + Number(failedSteps) + unexpected.length;
  print(`${passed} passed, ${all} failed, ${skipped.length} skipped`);
  Deno.exit(all === 0 && passed > 0 ? 0 : 1);
}
