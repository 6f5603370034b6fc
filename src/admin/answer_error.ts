import type { Logger } from "@logtape/logtape";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { AccountStoreError } from "../accounts/account_store_error.ts";
import { ConfigError } from "../config/config_error.ts";
import { TokenError } from "../oauth/token_error.ts";
import { detailsOf, problemBody, RequestProblem } from "./request_problem.ts";

const storeStatus = {
  ACCOUNT_EXISTS: 409,
  ACCOUNT_NOT_FOUND: 404,
  ACCOUNT_NEEDED: 409,
  ACCOUNTS_NOT_WRITABLE: 500,
} as const;

/** Makes the one function that turns what a route threw into an answer. What nobody foresaw is logged, not told. */
export function answerError(log: Logger): (error: Error, c: Context) => Response {
  return (error, c) => {
    if (error instanceof HTTPException && error.res !== undefined) return error.getResponse();
    const problem = problemOf(error);
    if (problem) return c.json(problemBody(problem.message, problem.details), problem.status);
    log.error("{method} {path} failed unexpectedly: {error}", {
      method: c.req.method,
      path: c.req.path,
      error,
    });
    return c.json(problemBody("Unexpected failure: the cause is in the daemon's log"), 500);
  };
}

function problemOf(error: Error): RequestProblem | undefined {
  if (error instanceof RequestProblem) return error;
  if (error instanceof ConfigError) {
    // What is said of the file as a whole is the server's affair, and no fault of a field.
    const isOfFile = error.findings.every(({ path }) => path === "");
    return isOfFile
      ? new RequestProblem(503, error.message, detailsOf(error.findings))
      : new RequestProblem(400, "The account has faults", detailsOf(error.findings));
  }
  if (error instanceof AccountStoreError) return new RequestProblem(storeStatus[error.code], error.message);
  if (error instanceof TokenError) {
    const { message, remedy } = error;
    const status: ContentfulStatusCode = error.code === "NEEDS_AUTHORIZATION" ? 422 : 502;
    return new RequestProblem(status, `${message}. ${remedy}`, [{ path: "", message, hint: remedy }]);
  }
  if (error instanceof HTTPException) {
    return new RequestProblem(error.status as ContentfulStatusCode, error.message);
  }
  if (error.name === "AbortError") return new RequestProblem(503, "The daemon is stopping");
  return undefined;
}
