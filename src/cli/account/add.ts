import { type Command, Option } from "commander";
import type { NewAccount } from "../../admin/account_body.ts";
import { addAccountOptions, runAccountCommand } from "../account_options.ts";
import type { CommandContext } from "../command_context.ts";
import { CommandFailure } from "../command_failure.ts";
import { nearestKey } from "../../config/nearest_key.ts";
import type { ProviderSettings } from "../../config/settings.ts";
import { exitStatus } from "../../lifecycle/exit_status.ts";
import { inputOf, readSecret, requireOnePipe } from "../secret_sources.ts";
import type { CommandInput } from "../terminal_input.ts";

type Providers = ReadonlyMap<string, ProviderSettings>;

interface AddOptions {
  readonly provider?: string;
  readonly grant?: "refresh_token" | "client_credentials" | "service_account";
  readonly clientId?: string;
  readonly clientSecretFile?: string;
  readonly refreshTokenFile?: string;
  readonly passwordFile?: string;
  readonly tenant?: string;
  readonly scope?: string;
  readonly username?: string;
  readonly saslUser?: string;
  readonly privateKeyFile?: string;
  readonly certificateFile?: string;
  readonly verify: boolean;
  readonly overwrite?: boolean;
}

const examples = `
Examples:
  xoauth2-proxy account add                                        asks for everything
  xoauth2-proxy account add sales@example.com --provider gmail --client-id ID \\
      --client-secret-file secret.txt --refresh-token-file - < token.txt
  xoauth2-proxy account add erp@example.com --provider outlook --grant client_credentials \\
      --tenant example.com --client-id ID --client-secret-file secret.txt

Secrets are asked for without echo, or come from files; "-" is standard input. Without a refresh token, run
"account authorize" afterwards.`;

/** Adds `account add`. */
export function registerAccountAdd(group: Command, context: CommandContext): void {
  const command = group.command("add").description("add an account, verified with its provider first")
    .argument("[email]", "the mailbox")
    .option("--provider <NAME>", "gmail, outlook, … or a provider of config.json")
    .addOption(
      new Option("--grant <GRANT>", "how tokens are obtained (default: refresh_token)").choices([
        "refresh_token",
        "client_credentials",
        "service_account",
      ]),
    )
    .option("--client-id <ID>", "the app registered with the provider")
    .option("--client-secret-file <FILE>", "its secret")
    .option("--refresh-token-file <FILE>", "the grant")
    .option("--password-file <FILE>", "what SMTP clients sign in with")
    .option("--tenant <TENANT>", "Entra tenant")
    .option("--scope <SCOPE>", "in place of the provider's own")
    .option("--username <NAME>", "what SMTP clients sign in as (default: the mailbox)")
    .option("--sasl-user <NAME>", "user= of XOAUTH2, for shared mailboxes (default: the mailbox)")
    .option("--private-key-file <FILE>", "PEM, or the JSON key file of a Google service account")
    .option("--certificate-file <FILE>", "PEM certificate of the app")
    .option("--no-verify", "don't ask the provider for a token first")
    .option("--overwrite", "replace an account that exists")
    .addHelpText("after", examples);
  addAccountOptions(command).action((email: string | undefined, options: AddOptions) =>
    runAccountCommand(command, {
      context,
      async work({ services, finishEdit }) {
        const { addAccount } = await import("../add_account.ts");
        const { providers } = services.settings;
        const body = await askForAccount({ ...options, email }, { input: inputOf(context), providers });
        const { account, isReplacement } = await addAccount(body, services);
        const needsGrant = account.grant === "refresh_token" && account.refreshToken === undefined;
        await finishEdit(
          { email: account.email, replaced: isReplacement, needs_authorization: needsGrant },
          `${isReplacement ? "Replaced" : "Added"} ${account.email}${
            needsGrant ? `; next: xoauth2-proxy account authorize ${account.email}` : ""
          }`,
        );
      },
    })
  );
}

/** What the options don't have is asked for on a terminal; elsewhere what must be there is missed. */
async function askForAccount(
  options: AddOptions & { readonly email: string | undefined },
  { input, providers }: { readonly input: CommandInput; readonly providers: Providers },
): Promise<NewAccount> {
  const { grant = "refresh_token", clientSecretFile, refreshTokenFile, passwordFile } = options;
  requireOnePipe([clientSecretFile, refreshTokenFile, passwordFile]);
  const email = options.email ?? await required(input, "Mailbox (e-mail):", "the mailbox");
  const provider = options.provider ?? await askForProvider(input, providers);
  const clientId = options.clientId ??
    (grant === "service_account" ? "" : await required(input, "Client id:", "--client-id"));
  const secret = (file: string | undefined, question?: string) => readSecret({ input, file, question });
  const isUser = grant === "refresh_token";
  const clientSecret = await secret(
    clientSecretFile,
    grant === "service_account" ? undefined : "Client secret (none: press Enter; not shown):",
  );
  const refreshToken = await secret(
    refreshTokenFile,
    isUser ? "Refresh token (none yet: press Enter; not shown):" : undefined,
  );
  const password = await secret(
    passwordFile,
    "Password for SMTP clients (none, this machine only: press Enter; not shown):",
  );
  return {
    email,
    provider,
    ...present({
      grant: options.grant,
      client_id: clientId,
      client_secret: clientSecret,
      refresh_token: refreshToken,
      password,
      tenant: options.tenant,
      scope: options.scope,
      username: options.username,
      sasl_user: options.saslUser,
      private_key_file: options.privateKeyFile,
      certificate_file: options.certificateFile,
    }),
    verify: options.verify && !(isUser && refreshToken === undefined),
    overwrite: options.overwrite ?? false,
  };
}

/** Asks until there is such a provider: the secrets that come next should not be typed in vain. */
async function askForProvider(input: CommandInput, providers: Providers): Promise<string> {
  let question = "Provider (gmail, outlook, …):";
  for (;;) {
    const name = await required(input, question, "--provider");
    if (providers.has(name.toLowerCase())) return name;
    const nearest = nearestKey(name, providers.keys());
    question = nearest === undefined
      ? `There is no "${name}". One of ${[...providers.keys()].join(", ")}:`
      : `There is no "${name}"; did you mean "${nearest}"? Provider:`;
  }
}

async function required(input: CommandInput, question: string, what: string): Promise<string> {
  const answer = input.isTerminal ? await input.ask(question) : "";
  if (answer !== "") return answer;
  throw new CommandFailure(`Give ${what} (see account add --help)`, { status: exitStatus.usage });
}

function present(fields: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== "");
  return Object.fromEntries(given) as Record<string, string>;
}
