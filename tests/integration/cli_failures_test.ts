/** Commands that can't do their work say so, without a stack. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { newAccount } from "./admin_fixture.ts";
import { CliFixture } from "./cli_fixture.ts";

const account = newAccount("a@example.com", { provider: "gmail" });

interface Unusable {
  readonly name: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly prepare?: (fixture: CliFixture) => Promise<unknown>;
  /** The one finding. */
  readonly expected: RegExp;
}

const unusable: readonly Unusable[] = [
  {
    name: "an accounts key of the wrong length",
    env: { XOAUTH2_ACCOUNTS_KEY: "abc" },
    expected: /gives no accounts key/,
  },
  { name: "an empty accounts key", env: { XOAUTH2_ACCOUNTS_KEY: "" }, expected: /gives no accounts key/ },
  {
    name: "damaged rotated tokens",
    async prepare(fixture) {
      await Deno.mkdir(join(fixture.directory, "state"));
      await fixture.write("state/refresh_tokens.json", "{");
    },
    expected: /can't be used: .*damaged/,
  },
  {
    name: "a folder as accounts file",
    async prepare({ directory }) {
      await Deno.remove(join(directory, "accounts.json"));
      await Deno.mkdir(join(directory, "accounts.json"));
    },
    expected: /can't be read: it is no file/,
  },
];

for (const { name, env = {}, prepare, expected } of unusable) {
  Deno.test(`account list ends with 78 and no stack for ${name}`, async () => {
    await using fixture = await CliFixture.create({}, [account]);
    await prepare?.(fixture);
    const { status, json } = await fixture.run(["account", "list", "--json"], { env });
    assert.deepEqual([status, json.success, json.details.length], [78, false, 1]);
    assert.match(json.details[0].message, expected);
    const { err } = await fixture.run(["account", "list"], { env });
    assert.match(err, expected);
    assert.doesNotMatch(err, /\.ts:\d/);
  });
}

Deno.test("account authorize says which port is taken", async () => {
  await using fixture = await CliFixture.create({}, [account]);
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const redirect = `http://localhost:${taken.addr.port}`;
  const args = ["account", "authorize", "a@example.com", "--json", "--redirect-uri", redirect];
  const { status, json } = await fixture.run(args);
  assert.equal(status, 1);
  assert.match(json.error, new RegExp(`127\\.0\\.0\\.1:${taken.addr.port} is in use`));
});
