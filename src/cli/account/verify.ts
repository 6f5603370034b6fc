import type { Command } from "commander";
import type { Verification } from "../../verification/verification.ts";
import { type AccountWork, addAccountOptions, runAccountCommand } from "../account_options.ts";
import type { CommandContext } from "../command_context.ts";
import { styled } from "../styled.ts";
import { jsonLine } from "../json_line.ts";

const examples = `
Examples:
  xoauth2-proxy account verify sales@example.com    step by step
  xoauth2-proxy account verify                      all accounts, 50 at a time

Obtains a token and signs in at the mail server; sends nothing. Ends with 1 if an account can't send.`;

/** Adds `account verify`. */
export function registerAccountVerify(group: Command, context: CommandContext): void {
  const command = group.command("verify").description("try whether accounts can send")
    .argument("[email...]", "the mailboxes (default: all)").addHelpText("after", examples);
  addAccountOptions(command).action((emails: string[]) =>
    runAccountCommand(command, { context, work: (work) => verifyAll(emails, work) })
  );
}

interface Verified extends Verification {
  readonly email: string;
  /** A refresh token that a running daemon has to learn of. */
  readonly isRotated: boolean;
}

async function verifyAll(emails: readonly string[], work: AccountWork): Promise<void> {
  const { services: { store }, context, json, finishEdit } = work;
  const { requireAccount } = await import("../../admin/require_account.ts");
  const { inParallel } = await import("../../verification/in_parallel.ts");
  const { ProgressBar } = await import("../progress_bar.ts");
  // Each once, however it is spelled: a grant may be good for one request only.
  const named = new Set(emails.map((email) => requireAccount(store, email)));
  const accounts = emails.length === 0 ? store.list() : [...named];
  const results: Verified[] = [];
  {
    using progress = new ProgressBar(accounts.length, context);
    results.push(
      ...await inParallel(accounts, async ({ email }) => {
        const result = await verifyOne(email, work);
        progress.advance();
        return result;
      }),
    );
  }
  const failed = results.filter(({ ok }) => !ok);
  if (failed.length > 0) context.finish(1);
  const isOne = accounts.length === 1;
  const text = [
    ...results.flatMap((result) => isOne || !result.ok ? describe(result, context) : []),
    ...(isOne ? [] : [`${results.length - failed.length} of ${results.length} accounts can send`]),
  ].join("\n");
  const body = {
    success: failed.length === 0,
    results: results.map(({ isRotated: _isRotated, ...rest }) => rest),
  };
  if (results.some(({ isRotated }) => isRotated)) return await finishEdit(body, text);
  context.out(json ? jsonLine(body) : text);
}

async function verifyOne(email: string, { services }: AccountWork): Promise<Verified> {
  const { verifyAccount } = await import("../../verification/verify_account.ts");
  const { store, tokens, mailboxes, dialer, whole } = services;
  let isRotated = false;
  const verification = await verifyAccount(store.get(email)!, {
    probe: (signal) =>
      whole(() =>
        tokens.probe(() => store.get(email)!, {
          async keep({ refreshToken: replaces }, rotated) {
            await store.rotateRefreshToken(email, rotated, { replaces });
            isRotated = true;
          },
          signal,
        })
      ),
    mailbox: mailboxes.get(email)!,
    dialer,
    signal: new AbortController().signal,
    now: Date.now,
  });
  return { email, isRotated, ...verification };
}

function describe({ email, ok, steps, failure }: Verified, { isTerminal }: CommandContext): string[] {
  const verdict = ok ? styled("can send", "green", isTerminal) : styled("can't send", "red", isTerminal);
  return [
    `${email} ${verdict}`,
    ...steps.map((step) => {
      const mark = step.ok ? styled("ok    ", "green", isTerminal) : styled("failed", "red", isTerminal);
      return `  ${mark} ${step.name.padEnd(8)} ${String(step.ms).padStart(5)} ms  ${step.detail}`;
    }),
    ...(failure ? [`  remedy: ${failure.remedy}`] : []),
  ];
}
