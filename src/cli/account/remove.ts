import type { Command } from "commander";
import { addAccountOptions, runAccountCommand } from "../account_options.ts";
import type { CommandContext } from "../command_context.ts";
import { inputOf } from "../secret_sources.ts";

const examples = `
Examples:
  xoauth2-proxy account remove sales@example.com
  xoauth2-proxy account remove old1@example.com old2@example.com --yes`;

/** Adds `account remove`. */
export function registerAccountRemove(group: Command, context: CommandContext): void {
  const command = group.command("remove").description("remove accounts")
    .argument("<email...>", "the mailboxes").option("--yes", "don't ask").addHelpText("after", examples);
  addAccountOptions(command).action((emails: string[], { yes = false }: { yes?: boolean }) =>
    runAccountCommand(command, {
      context,
      async work({ services: { store }, tellDaemon, finishEdit }) {
        const { requireAccount } = await import("../../admin/require_account.ts");
        const { CommandFailure } = await import("../command_failure.ts");
        const found = [...new Set(emails.map((email) => requireAccount(store, email).email))];
        for (const email of found) store.requireUnneeded(email);
        const input = inputOf(context);
        if (!yes && input.isTerminal) {
          const answer = await input.ask(`Remove ${found.join(", ")}? [y/N]`);
          if (!/^y(es)?$/i.test(answer)) throw new CommandFailure("Nothing was removed");
        }
        const removed: string[] = [];
        try {
          for (const email of found) {
            await store.remove(email);
            removed.push(email);
          }
        } catch (error) {
          // A running daemon would go on sending as those.
          if (removed.length > 0) {
            const notice = await tellDaemon();
            context.err(`Removed ${removed.join(", ")}. ${notice.text}`);
          }
          throw error;
        }
        await finishEdit({ removed }, `Removed ${removed.join(", ")}`);
      },
    })
  );
}
