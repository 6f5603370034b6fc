import type { Account } from "../accounts/account.ts";
import { RequestProblem } from "./request_problem.ts";

/** Passes accounts whose grant a user gives. @throws {RequestProblem} 400 for the others, which an app has of itself. */
export function requireInteractiveGrant({ email, grant }: Account): void {
  if (grant === "refresh_token") return;
  throw new RequestProblem(400, `"${email}" uses ${grant}, which no user authorizes`, [{
    path: "grant",
    message: `is ${grant}`,
    hint: "set it to refresh_token to authorize the account as its user",
  }]);
}
