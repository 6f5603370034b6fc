/** A browser without a screen: requests to the page over plain HTTP, with its cookie and forms. */

import { type AdminFixture, adminToken } from "./admin_fixture.ts";

/** What a request to the page has beside its path. */
export interface Visit {
  readonly cookie?: string;
  /** Makes it a POST from the page itself. */
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Closes the tab. */
  readonly signal?: AbortSignal;
}

/** An answer of the page. */
export interface VisitAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Makes one request, and reads the answer to its end. */
export async function visit(
  admin: AdminFixture,
  path: string,
  { cookie, form, headers, signal }: Visit = {},
): Promise<VisitAnswer> {
  const response = await fetch(`${admin.url}${path}`, {
    method: form ? "POST" : "GET",
    redirect: "manual",
    signal: signal ?? null,
    headers: { ...(form && { origin: admin.url }), ...(cookie !== undefined && { cookie }), ...headers },
    ...(form && { body: new URLSearchParams(form) }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Signs in, and takes the CSRF token from a page. */
export async function signIn(admin: AdminFixture): Promise<{ cookie: string; csrf: string }> {
  const { headers } = await visit(admin, "/sign-in", { form: { token: adminToken } });
  const cookie = headers.get("set-cookie")?.split(";")[0] ?? "";
  const { text } = await visit(admin, "/reload", { cookie });
  return { cookie, csrf: /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? "" };
}
