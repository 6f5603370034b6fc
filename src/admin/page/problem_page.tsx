/** What the page shows when it can't do what it was asked; the causes are those of the API. */

import type { Logger } from "@logtape/logtape";
import type { Context } from "hono";
import type { FC } from "hono/jsx";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { answerError } from "../answer_error.ts";
import { type ProblemDetail, problemSchema } from "../request_problem.ts";
import { Notice, Page, respond } from "./layout.tsx";
import type { PageSession } from "./page_sessions.ts";

/** A failure in words. */
export interface Problem {
  readonly status: ContentfulStatusCode;
  readonly error: string;
  readonly details: readonly ProblemDetail[];
}

/** What the API would answer to this error. What nobody foresaw is logged, not told. */
export async function problemOf(error: Error, { c, log }: { c: Context; log: Logger }): Promise<Problem> {
  const answer = answerError(log)(error, c);
  const { error: message, details } = problemSchema.parse(await answer.json());
  return { status: answer.status as ContentfulStatusCode, error: message, details };
}

/** The problem in a box. */
export const ProblemNotice: FC<{ problem: Problem }> = ({ problem: { error, details } }) => (
  <Notice kind="bad" title="This did not work">
    <p>{error}</p>
    {details.length > 0 && (
      <ul>
        {details.map(({ path, message, hint }) => (
          <li>
            {path !== "" && <code>{path}</code>} {message}
            {hint !== "" && <span class="muted">: {hint}</span>}
          </li>
        ))}
      </ul>
    )}
  </Notice>
);

/** Answers with a page about the error. */
export async function respondProblem(
  error: Error,
  { c, log, session }: { c: Context; log: Logger; session?: PageSession | undefined },
): Promise<Response> {
  const problem = await problemOf(error, { c, log });
  const page = (
    <Page title="Problem" session={session}>
      <ProblemNotice problem={problem} />
      {session && (
        <p>
          <a href="/accounts">Accounts</a>
        </p>
      )}
    </Page>
  );
  return await respond(c, page, problem.status);
}
