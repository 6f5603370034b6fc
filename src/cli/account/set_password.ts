import { type Command, Option } from "commander";
import { addAccountOptions, runAccountCommand } from "../account_options.ts";
import type { CommandContext } from "../command_context.ts";
import { inputOf, readSecret } from "../secret_sources.ts";
import type { CommandInput } from "../terminal_input.ts";

interface SetPasswordOptions {
  readonly passwordFile?: string;
  readonly generate?: boolean;
  readonly remove?: boolean;
}

const examples = `
Examples:
  xoauth2-proxy account set-password sales@example.com              asks twice, without echo
  xoauth2-proxy account set-password sales@example.com --generate   makes one and prints it once
  pass show smtp/sales | xoauth2-proxy account set-password sales@example.com --password-file -`;

/** Adds `account set-password`. */
export function registerAccountSetPassword(group: Command, context: CommandContext): void {
  const command = group.command("set-password").description("set what SMTP clients sign in with")
    .argument("<email>", "the mailbox")
    .option(
      "--password-file <FILE>",
      'file with the password, without blanks around it; "-" is standard input',
    )
    .addOption(new Option("--generate", "make a random one, and print it").conflicts("passwordFile"))
    .addOption(
      new Option("--remove", "have none: clients on this machine only").conflicts([
        "generate",
        "passwordFile",
      ]),
    )
    .addHelpText("after", examples);
  addAccountOptions(command).action((email: string, options: SetPasswordOptions) =>
    runAccountCommand(command, {
      context,
      async work({ services: { store }, tellDaemon, finishEdit }) {
        const { requireAccount } = await import("../../admin/require_account.ts");
        const { OutputFailure } = await import("../command_failure.ts");
        const { hashPassword } = await import("../../accounts/password_hash.ts");
        const account = requireAccount(store, email);
        const password = options.remove ? null : await choosePassword(options, inputOf(context));
        const hash = password === null ? null : await hashPassword(password);
        await store.update(account.email, { password_hash: hash });
        const shown = options.generate && password !== null ? password : undefined;
        try {
          await finishEdit(
            { email: account.email, ...(shown !== undefined && { password: shown }) },
            password === null
              ? `${account.email} has no password: only clients on this machine may use it`
              : `Password of ${account.email} is set${shown === undefined ? "" : `: ${shown}`}`,
          );
        } catch (error) {
          if (shown === undefined || !(error instanceof OutputFailure)) throw error;
          // Nobody has seen the new one.
          await store.update(account.email, { password_hash: account.passwordHash ?? null });
          await tellDaemon();
          const what = `the password of ${account.email} is as it was`;
          throw new OutputFailure(`${error.message}; ${what}`, { cause: error });
        }
      },
    })
  );
}

async function choosePassword(
  { generate, passwordFile }: SetPasswordOptions,
  input: CommandInput,
): Promise<string> {
  const { CommandFailure } = await import("../command_failure.ts");
  const { exitStatus } = await import("../../lifecycle/exit_status.ts");
  if (generate) return crypto.randomUUID().replaceAll("-", "");
  const password = await readSecret({ input, file: passwordFile, question: "Password (not shown):" });
  if (password === undefined) {
    throw new CommandFailure(
      "Give a password: on a terminal, by --password-file, or --generate",
      { status: exitStatus.usage },
    );
  }
  if (passwordFile === undefined && await input.askSecret("The same again:") !== password) {
    throw new CommandFailure("The two passwords differ: nothing has changed");
  }
  return password;
}
