import type { Command } from "commander";
import type { CommandContext } from "./command_context.ts";
import { registerAccountAdd } from "./account/add.ts";
import { registerAccountAuthorize } from "./account/authorize.ts";
import { registerAccountEncrypt } from "./account/encrypt.ts";
import { registerAccountImport } from "./account/import.ts";
import { registerAccountList } from "./account/list.ts";
import { registerAccountRemove } from "./account/remove.ts";
import { registerAccountSetPassword } from "./account/set_password.ts";
import { registerAccountShow } from "./account/show.ts";
import { registerAccountVerify } from "./account/verify.ts";

const examples = `
Examples:
  xoauth2-proxy account add sales@example.com --provider gmail --client-id ID
  xoauth2-proxy account authorize sales@example.com
  xoauth2-proxy account verify sales@example.com

These work on the accounts file, with or without a running daemon; one that answers takes the change over at once.`;

/** Adds `account` with its subcommands. */
export function registerAccount(program: Command, context: CommandContext): void {
  const group = program.command("account").description("add, show, verify and change accounts")
    .addHelpText("after", examples);
  const registrations = [
    registerAccountList,
    registerAccountShow,
    registerAccountAdd,
    registerAccountAuthorize,
    registerAccountVerify,
    registerAccountSetPassword,
    registerAccountRemove,
    registerAccountImport,
    registerAccountEncrypt,
  ];
  for (const register of registrations) register(group, context);
}
