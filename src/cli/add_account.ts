import { getLogger } from "@logtape/logtape";
import { AccountAdmission, type AdmittedAccount } from "../admin/account_admission.ts";
import type { NewAccount } from "../admin/account_body.ts";
import { RequestProblem } from "../admin/request_problem.ts";
import { CommandFailure } from "./command_failure.ts";
import type { LocalServices } from "./local_services.ts";

/** Takes accounts in. */
export type Admission = Pick<AccountAdmission, "admit">;

/**
 * Adds an account by the rules of the admin API.
 *
 * @throws {CommandFailure} Naming every fault, or why the provider refuses.
 * @throws {AccountStoreError} If there is such an account, or the file can't be written.
 */
export async function addAccount(body: NewAccount, services: LocalServices): Promise<AdmittedAccount> {
  try {
    return await admissionOf(services).admit(body);
  } catch (error) {
    if (!(error instanceof RequestProblem)) throw error;
    const text = problemText(error);
    // 502: the provider could not be asked, which need not keep anybody from adding the account.
    const remedy = error.status === 502
      ? `${text}, or add --no-verify to add the account without asking`
      : text;
    throw new CommandFailure(remedy, { cause: error });
  }
}

/** Takes accounts in as the API does, into the accounts file; none is cut off between its verification and that. */
export function admissionOf({ store, tokens, settings, whole }: LocalServices): Admission {
  const admission = new AccountAdmission({
    accounts: store,
    tokens,
    providers: () => settings.providers,
    now: Date.now,
    log: getLogger(["xoauth2-proxy", "command"]),
  }, new AbortController().signal);
  return { admit: (body) => whole(() => admission.admit(body)) };
}

/** A problem of the API for a terminal. */
export function problemText({ status, message, details }: RequestProblem): string {
  if (status !== 400) return message;
  const lines = details.map(({ path, message: what, hint }) =>
    `  ${path}: ${what}${hint === "" ? "" : ` (${hint})`}`
  );
  return [message, ...lines].join("\n");
}
