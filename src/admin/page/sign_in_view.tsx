import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { Page, respond } from "./layout.tsx";

/** What the form says. */
export interface SignInOptions {
  readonly status: ContentfulStatusCode;
  /** Why the last try failed. */
  readonly error?: string;
  /** Where to go afterwards; default: the page that was asked for. */
  readonly next?: string;
}

/** Shows the sign-in form. */
export async function showSignIn(c: Context, { status, error, next }: SignInOptions): Promise<Response> {
  const { pathname, search } = new URL(c.req.url);
  const destination = next ?? (c.req.method === "GET" ? pathname + search : "/");
  const field = error === undefined ? {} : { "aria-invalid": "true" as const, "aria-describedby": "error" };
  const page = (
    <Page title="Sign in">
      <form method="post" action="/sign-in" class="panel narrow">
        <input type="hidden" name="next" value={destination} />
        {/* Password managers ask for a name. */}
        <input type="hidden" name="username" value="admin" autocomplete="username" />
        <label for="token">Admin token</label>
        <input
          id="token"
          name="token"
          type="password"
          autocomplete="current-password"
          required
          autofocus
          {...field}
        />
        {error !== undefined && <p id="error" class="fault">{error}</p>}
        <p class="hint">It is in a file that the daemon's log names at the start.</p>
        <button type="submit">Sign in</button>
      </form>
    </Page>
  );
  return await respond(c, page, status);
}
