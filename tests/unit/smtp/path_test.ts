import assert from "node:assert/strict";
import { isInternationalized, parsePathArgument } from "../../../src/smtp/path.ts";

const PATHS: readonly (readonly [argument: string, address: string, why: string])[] = [
  ["TO:<a@example.net>", "a@example.net", "the plain form"],
  ["to:<a@example.net>", "a@example.net", "the keyword is in any case"],
  ["TO: <a@example.net>", "a@example.net", "a blank that devices send"],
  ["TO:a@example.net", "a@example.net", "brackets that devices leave out"],
  ["TO:<@one.example,@two.example:a@example.net>", "a@example.net", "a source route is ignored (§4.1.1.3)"],
  ['TO:<"a b"@example.net>', '"a b"@example.net', "a quoted local part"],
  ['TO:<"a>b"@example.net>', '"a>b"@example.net', "with a bracket in it"],
  ['TO:<"a\\"b@c"@example.net>', '"a\\"b@c"@example.net', "with a quote and an at in it"],
  ["TO:<a@[192.0.2.1]>", "a@[192.0.2.1]", "an address literal"],
  ["TO:<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", "an IPv6 literal"],
  ["TO:<postMASTER>", "postMASTER", "Postmaster needs no domain (§4.5.1)"],
  ["TO:<o'neil+tag=x/y@example.net>", "o'neil+tag=x/y@example.net", "all that an atom may hold"],
  ["TO:<.a..b.@example.net>", ".a..b.@example.net", "dots where RFC 5321 has none, which are in use"],
];

for (const [argument, address, why] of PATHS) {
  Deno.test(`parsePathArgument reads ${argument}: ${why}`, () => {
    assert.deepEqual(parsePathArgument(argument, "TO"), { address, parameters: new Map() });
  });
}

Deno.test("parsePathArgument reads the null reverse-path, and no null forward-path", () => {
  assert.deepEqual(parsePathArgument("FROM:<>", "FROM"), { address: "", parameters: new Map() });
  assert.ok("fault" in parsePathArgument("TO:<>", "TO"));
});

Deno.test("parsePathArgument reads parameters with and without a value, keywords in upper case", () => {
  const parsed = parsePathArgument("FROM:<a@b>  Size=10 smtputf8 X-y=z;,:", "FROM");
  assert.ok("parameters" in parsed);
  assert.deepEqual([...parsed.parameters], [["SIZE", "10"], ["SMTPUTF8", undefined], ["X-Y", "z;,:"]]);
});

Deno.test("parsePathArgument refuses a source route without a mailbox, which is no null reverse-path", () => {
  for (const path of ["<@host.example:>", "@host.example:", "<@one.example,@two.example:>"]) {
    assert.match((parsePathArgument(`FROM:${path}`, "FROM") as { fault: string }).fault, /no mailbox/);
    assert.ok("fault" in parsePathArgument(`TO:${path}`, "TO"));
  }
});

const FAULTS: readonly (readonly [argument: string, fault: RegExp, why: string])[] = [
  ["", /Expected TO:/, "nothing"],
  ["FROM:<a@b>", /Expected TO:/, "the other keyword"],
  ["TO:", /Expected an address/, "no path"],
  ["TO:<a@b", /Unbalanced/, "no end"],
  ["TO:<<a@b>>", /Unbalanced/, "a bracket inside"],
  ["TO:<a@b>>", /space after the path/, "a bracket behind"],
  ["TO:<a@b>SIZE=1", /space after the path/, "no blank before the parameter"],
  ["TO:<a@b>RCPT TO:<c@d>", /space after the path/, "a second command"],
  ["TO:a@b>", /Unbalanced/, "half a pair of brackets"],
  ["TO:<nobody>", /no domain/, "no domain"],
  ["TO:<@b>", /empty local part/, "no local part"],
  ["TO:<a@>", /empty local part or domain/, "an empty domain"],
  ["TO:<a b@c>", /must be quoted/, "a blank outside of quotes"],
  ["TO:<a(b)@c>", /must be quoted/, "a comment"],
  ['TO:<"a"b"@c>', /Unbalanced/, "quotes that don't pair"],
  ['TO:<"a"b"c"@d>', /must be quoted/, "quotes inside of quotes"],
  ["TO:<a@b c>", /domain is malformed/, "a blank in the domain"],
  ["TO:<a@b;c>", /domain is malformed/, "a semicolon in the domain"],
  [`TO:<${"a".repeat(65)}@b>`, /64 octets/, "a local part of 65 octets (§4.5.3.1.1)"],
  [`TO:<${"\u00e4".repeat(33)}@b>`, /64 octets/, "octets, not characters"],
  [`TO:<a@${"b".repeat(253)}>`, /256 octets/, "a path of 257 octets with its brackets (§4.5.3.1.3)"],
  ["TO:<a@b> =1", /Malformed parameter/, "a value without a keyword"],
  ["TO:<a@b> A=", /Malformed parameter/, "a keyword without its value"],
  ["TO:<a@b> A=b=c", /Malformed parameter/, "two values"],
  ["TO:<a@b> A=1 a=2", /stands twice/, "a parameter twice"],
  ["TO:<a@b> \u017fIZE=1", /Malformed parameter/, "a letter whose upper case is an S"],
  ["TO:<a@b> S\u0131ZE=1", /Malformed parameter/, "a letter whose upper case is an I"],
  ["TO:\u00a0<a@b>", /Unbalanced/, "a blank outside of ASCII before the path"],
  ["TO:\ufeffa@b", /must be quoted/, "a mark outside of ASCII before the address"],
  ["TO:<a@b>\u00a0SIZE=1", /space after the path/, "a blank outside of ASCII behind the path"],
  ["TO:<a@b> \u2003SIZE=1", /Malformed parameter/, "a blank outside of ASCII before the parameter"],
  ["TO:<a@b> SIZE=1 \u00a0", /Malformed parameter/, "a blank outside of ASCII at the end"],
];

for (const [argument, fault, why] of FAULTS) {
  Deno.test(`parsePathArgument refuses ${argument.slice(0, 30)}: ${why}`, () => {
    const result = parsePathArgument(argument, "TO");
    assert.ok("fault" in result, JSON.stringify(result));
    assert.match(result.fault, fault);
  });
}

Deno.test("parsePathArgument takes 64 octets of local part and 256 of path", () => {
  assert.ok("address" in parsePathArgument(`TO:<${"a".repeat(64)}@b>`, "TO"));
  assert.ok("address" in parsePathArgument(`TO:<a@${"b".repeat(252)}>`, "TO"));
});

Deno.test("isInternationalized tells what needs SMTPUTF8", () => {
  assert.equal(isInternationalized("a@example.net"), false);
  assert.equal(isInternationalized("\u00e4@example.net"), true);
  assert.equal(isInternationalized("a@b\u00fccher.example"), true);
});
