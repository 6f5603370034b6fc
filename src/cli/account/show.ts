import type { Command } from "commander";
import { addAccountOptions, runAccountCommand } from "../account_options.ts";
import type { CommandContext } from "../command_context.ts";
import { jsonLine } from "../json_line.ts";

const examples = `
Example:
  xoauth2-proxy account show sales@example.com`;

/** Adds `account show`. */
export function registerAccountShow(group: Command, context: CommandContext): void {
  const command = group.command("show").description("show one account, without its secrets")
    .argument("<email>", "the mailbox").addHelpText("after", examples);
  addAccountOptions(command).action((email: string) =>
    runAccountCommand(command, {
      context,
      async work({ services: { store }, json }) {
        const { requireAccount } = await import("../../admin/require_account.ts");
        const { accountView } = await import("../../admin/account_view.ts");
        const { token: _unknownHere, ...view } = accountView(requireAccount(store, email));
        if (json) return context.out(jsonLine({ success: true, account: view }));
        const width = Math.max(...Object.keys(view).map((key) => key.length));
        for (const [key, value] of Object.entries(view)) {
          context.out(`${key.padEnd(width)}  ${value === true ? "yes" : value === false ? "no" : value}`);
        }
      },
    })
  );
}
