import { type Command, Option } from "commander";
import { type AccountWork, addAccountOptions, runAccountCommand } from "../account_options.ts";
import type { CommandContext } from "../command_context.ts";
import { inputOf } from "../secret_sources.ts";

interface AuthorizeOptions {
  readonly device?: boolean;
  readonly manual?: boolean;
  readonly redirectUri?: string;
}

const examples = `
Examples:
  xoauth2-proxy account authorize sales@example.com            a browser on this machine
  xoauth2-proxy account authorize sales@example.com --manual   a browser anywhere; its last address is pasted here
  xoauth2-proxy account authorize erp@example.com --device     a code typed in on another device (Microsoft)

Register http://localhost as redirect address of the app (Google: type "Desktop app"; Entra: "Mobile and desktop").`;

/** Adds `account authorize`. */
export function registerAccountAuthorize(group: Command, context: CommandContext): void {
  const command = group.command("authorize").description(
    "let the mailbox's user grant access, and keep the grant",
  )
    .argument("<email>", "the mailbox")
    .option("--manual", "print the address, and paste the one that the browser ends at")
    .addOption(new Option("--device", "use a device code").conflicts("manual"))
    .option(
      "--redirect-uri <URI>",
      "the one registered with the app (default: http://localhost and a free port)",
    )
    .addHelpText("after", examples);
  addAccountOptions(command).action((email: string, options: AuthorizeOptions) =>
    runAccountCommand(command, { context, work: (work) => authorize(email, { options, work }) })
  );
}

async function authorize(
  email: string,
  { options, work }: { readonly options: AuthorizeOptions; readonly work: AccountWork },
): Promise<void> {
  const { services: { store, whole }, context, finishEdit } = work;
  const { requireAccount } = await import("../../admin/require_account.ts");
  const { CommandFailure } = await import("../command_failure.ts");
  const { obtainGrant } = await import("../obtain_grant.ts");
  const account = requireAccount(store, email);
  if (account.grant !== "refresh_token") {
    throw new CommandFailure(`${account.email} uses ${account.grant}, which no user authorizes`);
  }
  // Before anybody consents: what can't be kept would be lost.
  await store.requireWritable();
  await obtainGrant(account, {
    method: options.device ? "device" : options.manual ? "manual" : "browser",
    redirectUri: options.redirectUri,
    input: inputOf(context),
    // Standard output is for the result.
    tell: context.err,
    finish: (ask) =>
      whole(async () => {
        const { refreshToken } = await ask();
        await store.update(account.email, { refresh_token: refreshToken });
      }),
  });
  await finishEdit({ email: account.email }, `${account.email} is authorized`);
}
