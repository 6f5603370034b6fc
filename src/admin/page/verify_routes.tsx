import { type Context, Hono } from "hono";
import type { FC } from "hono/jsx";
import type { Verification } from "../../verification/verification.ts";
import { requireAccount } from "../require_account.ts";
import { accountPath, Reason } from "./attention_list.tsx";
import { formatMs } from "./format_measures.ts";
import { ActionForm, Notice, Page } from "./layout.tsx";
import { requireSession } from "./page_guards.ts";
import type { PageEnv, PageServices } from "./page_services.ts";
import type { PageSession } from "./page_sessions.ts";
import { ProblemNotice, problemOf } from "./problem_page.tsx";
import { verifyStepwise } from "./stepwise_verification.ts";
import { growingPlace, streamPage } from "./streamed_page.ts";

/** Verifies an account; each step is on the page as soon as it has gone well. */
export function verifyRoutes(services: PageServices): Hono<PageEnv> {
  const { context: { accounts, log }, sessions, givingUp } = services;
  const app = new Hono<PageEnv>();
  app.post("/accounts/:email/verify", requireSession(sessions), (c) => {
    const account = requireAccount(accounts, c.req.param("email"));
    const page = <VerificationPage email={account.email} session={c.get("session")} />;
    return streamPage(c, { page, failure: (error) => failurePart(error, c) }, async (grow) => {
      const growing: Promise<void>[] = [];
      const verification = await verifyStepwise({ account, services }, {
        onStep: (sentence) => growing.push(grow(<li>{sentence}</li>)),
        // Not when the viewer leaves: the provider may have rotated the refresh token, and only the answer has the new one.
        signal: givingUp,
      });
      await Promise.all(growing);
      await grow(<VerificationResult verification={verification} />);
    });
  });
  return app;

  async function failurePart(error: Error, c: Context) {
    return (
      <li class="result">
        <ProblemNotice problem={await problemOf(error, { c, log })} />
      </li>
    );
  }
}

const VerificationPage: FC<{ email: string; session: PageSession }> = ({ email, session }) => (
  <Page title={`Verify ${email}`} current="accounts" session={session}>
    <ol class="steps" aria-live="polite">{growingPlace}</ol>
    <p class="buttons">
      <a class="button" href={accountPath(email)}>Back to the account</a>
    </p>
    <ActionForm session={session} action={accountPath(email, "verify")} button="Verify again" />
  </Page>
);

const VerificationResult: FC<{ verification: Verification }> = ({ verification: { steps, failure } }) => (
  <li class="result">
    {failure
      ? (
        <Notice kind="bad" title="The account can't send">
          <Reason cause={failure.cause} remedy={failure.remedy} />
        </Notice>
      )
      : <Notice kind="good" title="The account can send" />}
    <details>
      <summary>Every step</summary>
      <table>
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col">Result</th>
            <th scope="col" class="number">Time</th>
          </tr>
        </thead>
        <tbody>
          {steps.map(({ name, ok, ms, detail }) => (
            <tr>
              <td>{name}</td>
              <td>{ok ? detail : `failed: ${detail}`}</td>
              <td class="number">{formatMs(ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  </li>
);
