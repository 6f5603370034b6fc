/** Commands whose daemon is none, or that can't be told. */

import assert from "node:assert/strict";
import { AdminDaemon } from "./admin_daemon_fixture.ts";
import { adminToken, newAccount } from "./admin_fixture.ts";
import { CliFixture, runCli } from "./cli_fixture.ts";

const account = newAccount("a@example.com", { provider: "gmail" });

/** Something else than a daemon at its address, which answers every request alike. */
function stranger(answer: string) {
  const authorizations: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, ({ headers }) => {
    authorizations.push(headers.get("authorization") ?? "none");
    return new Response(answer);
  });
  return {
    authorizations,
    options: ["--admin-port", `${server.addr.port}`],
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

for (const answer of ["null", "[]", "{}", '{"success":true}']) {
  Deno.test(`Commands don't take something that answers ${answer} for a daemon, nor give it the token`, async () => {
    await using fixture = await CliFixture.create({}, [account]);
    await using other = stranger(answer);
    const status = await runCli(["status", "--json", ...other.options], {
      env: { XOAUTH2_ADMIN_TOKEN: adminToken },
    });
    assert.equal(status.status, 1);
    assert.match(status.json.error, /Something else than this program answers/);
    const args = ["account", "set-password", "a@example.com", "--generate"];
    const edit = await fixture.run(args, { options: other.options });
    assert.match(
      edit.out,
      /^Password of a@example\.com is set: \w+\nThe daemon was not told: Something else/,
    );
    assert.deepEqual(new Set(other.authorizations), new Set(["none"]));
  });
}

Deno.test("account set-password --generate prints the password when the admin token can't be used", async () => {
  await using lab = await AdminDaemon.start();
  await using fixture = await CliFixture.create({}, [account]);
  const options = ["--admin-port", String(lab.daemon.ready.admin.port)];
  const args = ["account", "set-password", "a@example.com", "--generate"];
  const { status, out } = await fixture.run(args, { options, env: { XOAUTH2_ADMIN_TOKEN: "short" } });
  assert.equal(status, 0);
  assert.match(
    out,
    /^Password of a@example\.com is set: \w+\nThe daemon was not told: .*XOAUTH2_ADMIN_TOKEN/,
  );
});
