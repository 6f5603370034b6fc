import type { Command } from "commander";
import { addAccountOptions, runAccountCommand } from "../account_options.ts";
import type { CommandContext } from "../command_context.ts";
import { jsonLine } from "../json_line.ts";

const examples = `
Examples:
  xoauth2-proxy account list
  xoauth2-proxy account list --json | jq -r '.accounts[].email'`;

/** Adds `account list`. */
export function registerAccountList(group: Command, context: CommandContext): void {
  const command = group.command("list").description("list the accounts of the accounts file").addHelpText(
    "after",
    examples,
  );
  addAccountOptions(command).action(() =>
    runAccountCommand(command, {
      context,
      async work({ services: { store, settings }, json }) {
        const accounts = store.list();
        if (json) {
          const { accountView } = await import("../../admin/account_view.ts");
          const views = accounts.map((account) => accountView(account));
          return context.out(
            jsonLine({ success: true, total_accounts: views.length, accounts: views }),
          );
        }
        if (accounts.length === 0) {
          return context.out(
            `No accounts in ${settings.accountsFile}: xoauth2-proxy account add makes one, --accounts names another file`,
          );
        }
        const { table } = await import("../table.ts");
        const { styled } = await import("../styled.ts");
        const [header = "", ...rows] = table(
          ["ACCOUNT", "PROVIDER", "GRANT", "USER NAME", "PASSWORD", "REFRESH TOKEN"],
          accounts.map(({ email, providerName, grant, username, passwordHash, refreshToken }) => [
            email,
            providerName,
            grant,
            username === email ? "" : username,
            passwordHash === undefined ? "none: local only" : "set",
            grant !== "refresh_token" ? "not needed" : refreshToken === undefined ? "missing" : "set",
          ]),
        );
        context.out([styled(header, "dim", context.isTerminal), ...rows].join("\n"));
      },
    })
  );
}
