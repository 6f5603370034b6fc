import type { Command } from "commander";
import { addAccountOptions, runAccountCommand } from "./account_options.ts";
import type { CommandContext } from "./command_context.ts";
import { jsonLine } from "./json_line.ts";
import type { DaemonNotice } from "./tell_daemon.ts";

interface SendTestOptions {
  readonly account: string;
  readonly to: string;
  readonly from?: string;
}

const examples = `
Examples:
  xoauth2-proxy send-test --account sales@example.com --to me@example.com
  xoauth2-proxy send-test --account sales@example.com --from info@example.com --to me@example.com

Signs in at the provider and sends one short message, without a daemon. Ends with 0 when the provider has taken it.`;

/** Adds `send-test`. */
export function registerSendTest(program: Command, context: CommandContext): void {
  const command = program.command("send-test").description("send a short message straight to the provider")
    .requiredOption("--account <EMAIL>", "the account to send as")
    .requiredOption("--to <ADDRESS>", "who gets it")
    .option("--from <ADDRESS>", "sender address, to try a send-as permission (default: the account)")
    .addHelpText("after", examples);
  addAccountOptions(command).action(({ account: email, to, from }: SendTestOptions) =>
    runAccountCommand(command, {
      context,
      async work({ services, json, tellDaemon }) {
        const { requireAccount } = await import("../admin/require_account.ts");
        const { sendTestMessage } = await import("./test_message.ts");
        const account = requireAccount(services.store, email);
        const mailbox = services.mailboxes.get(account.email)!;
        let notice: DaemonNotice | undefined;
        const result = await sendTestMessage({ from: from ?? account.email, to }, {
          account,
          mailbox,
          dialer: services.dialer,
        }).finally(async () => {
          // A running daemon would go on with the refresh token that has been traded for the next one.
          const isRotated = services.store.get(account.email)?.refreshToken !== account.refreshToken;
          if (isRotated) notice = await tellDaemon();
        });
        if (!result.success) context.finish(1);
        if (json) return context.out(jsonLine({ ...result, daemon: notice?.outcome }));
        for (const line of result.dialogue) context.out(`  ${line}`);
        const verdict = result.success
          ? `Sent: the provider has taken the message for ${to}`
          : `Not sent. ${result.remedy}`;
        context.out(verdict);
        if (notice) context.out(notice.text);
      },
    })
  );
}
