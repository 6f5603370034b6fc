import { type Command, Option } from "commander";
import { addAccountOptions, runAccountCommand } from "../account_options.ts";
import type { CommandContext } from "../command_context.ts";

const examples = `
Examples:
  xoauth2-proxy account encrypt --generate-key > /etc/xoauth2-proxy/accounts_key
  XOAUTH2_ACCOUNTS_KEY_FILE=/etc/xoauth2-proxy/accounts_key xoauth2-proxy account encrypt
  XOAUTH2_ACCOUNTS_KEY_FILE=/etc/xoauth2-proxy/accounts_key xoauth2-proxy account encrypt --decrypt

The daemon needs the same key: XOAUTH2_ACCOUNTS_KEY_FILE, XOAUTH2_ACCOUNTS_KEY, or the systemd credential accounts_key.`;

/** Adds `account encrypt`. */
export function registerAccountEncrypt(group: Command, context: CommandContext): void {
  const command = group.command("encrypt").description("encrypt the secrets in the accounts file")
    .option("--decrypt", "put them back in clear")
    .addOption(
      new Option("--generate-key", "print a new key, and change nothing").conflicts("decrypt"),
    )
    .addHelpText("after", examples);
  addAccountOptions(command).action(
    async ({ decrypt = false, generateKey = false }: { decrypt?: boolean; generateKey?: boolean }) => {
      if (generateKey) {
        const { generateSecretKey } = await import("../../accounts/secret_box.ts");
        return context.out(generateSecretKey());
      }
      await runAccountCommand(command, {
        context,
        async work({ services: { store }, finishEdit }) {
          await requireKey(context);
          const changed = await store.convertSecrets(decrypt ? "clear" : "encrypted");
          const what = decrypt ? "Decrypted" : "Encrypted";
          await finishEdit({ changed }, `${what} the secrets of ${changed} accounts`);
        },
      });
    },
  );
}

async function requireKey({ env }: CommandContext): Promise<void> {
  const { loadSecretBox } = await import("../../accounts/secret_box.ts");
  if (await loadSecretBox({ env: (name) => env[name] })) return;
  const { CommandFailure } = await import("../command_failure.ts");
  throw new CommandFailure(
    "There is no accounts key: make one with --generate-key, and name its file in XOAUTH2_ACCOUNTS_KEY_FILE",
  );
}
