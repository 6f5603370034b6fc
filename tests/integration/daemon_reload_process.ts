/** A process whose heap is to hold however often it reloads: the daemon's own parts, with 500 accounts. */

import { join } from "node:path";
import { loadSettings } from "../../src/config/load_settings.ts";
import { Daemon } from "../../src/daemon/daemon.ts";
import { reloadParts } from "../../src/daemon/reload_parts.ts";
import { Lifecycle } from "../../src/lifecycle/lifecycle.ts";
import { openLog } from "../../src/telemetry/log.ts";

const reloads = 350;
const directory = await Deno.makeTempDir({ prefix: "xoauth2-proxy-reload-" });
try {
  const accounts = Array.from({ length: 500 }, (_, index) => ({
    email: `sender${index}@example.com`,
    provider: "gmail",
    client_id: "app",
    refresh_token: `grant-${index}`,
  }));
  const file = join(directory, "accounts.json");
  await Deno.writeTextFile(file, JSON.stringify(accounts), { mode: 0o600 });
  await Deno.writeTextFile(join(directory, "config.json"), "{}");
  const env = { STATE_DIRECTORY: directory };
  const options = { config: join(directory, "config.json"), accounts: file, port: 0 } as const;
  const load = () => loadSettings({ options, env });
  const { settings } = await load();
  await using log = await openLog({ ...settings.log, level: "fatal" });
  const lifecycle = new Lifecycle({ log: log.logger, now: () => performance.now(), exit: Deno.exit });
  const daemon = await Daemon.open({ settings, log, lifecycle, env });
  const [part] = reloadParts(daemon, load);
  for (let count = 0; count < reloads; count++) {
    const { apply } = await part!.prepare(lifecycle.stopSignal);
    await apply();
  }
  await daemon.warmedUp;
  const { length } = await daemon.warmedUp;
  await Deno.stdout.write(new TextEncoder().encode(`${reloads} reloads, ${length} warm-ups\n`));
} finally {
  await Deno.remove(directory, { recursive: true });
}
Deno.exit();
