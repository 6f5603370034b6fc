/** The frame of every page, and the small parts that pages are made of. Texts are escaped by hono/jsx. */

import type { Context } from "hono";
import { raw } from "hono/html";
import type { Child, FC, PropsWithChildren } from "hono/jsx";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { PageSession } from "./page_sessions.ts";

/** What a page says of itself. */
export interface PageProps {
  readonly title: string;
  /** The signed-in page has navigation; others have none. */
  readonly session?: PageSession | undefined;
  readonly current?: "overview" | "accounts" | "messages" | undefined;
  /** Path of the event stream that keeps the page's sections fresh. */
  readonly events?: string | undefined;
}

/** Anything that hono/jsx renders. */
export type Markup = Child;

const destinations = [["overview", "/", "Overview"], ["accounts", "/accounts", "Accounts"], [
  "messages",
  "/messages",
  "Messages",
]] as const;

/** A whole document. */
export const Page: FC<PropsWithChildren<PageProps>> = ({ title, session, current, events, children }) => (
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>{`${title} · xoauth2-proxy`}</title>
      <link rel="icon" href="/page.svg" type="image/svg+xml" />
      <link rel="stylesheet" href="/page.css" />
      <script src="/page.js" defer></script>
    </head>
    <body {...(events === undefined ? {} : { "data-events": events })}>
      <a class="skip" href="#content">Skip to content</a>
      <header class="masthead">
        <span class="brand">xoauth2-proxy</span>
        {session && <Navigation session={session} current={current} />}
      </header>
      <main id="content" tabindex={-1}>
        <div class="title">
          <h1>{title}</h1>
          {events !== undefined && <p id="connection" class="muted" role="status"></p>}
        </div>
        {children}
      </main>
    </body>
  </html>
);

const Navigation: FC<{ session: PageSession; current: PageProps["current"] }> = ({ session, current }) => (
  <>
    <nav aria-label="Pages">
      {destinations.map(([name, href, text]) => (
        <a href={href} {...(name === current ? { "aria-current": "page" } : {})}>{text}</a>
      ))}
    </nav>
    <form method="post" action="/sign-out">
      <CsrfField session={session} />
      <button type="submit" class="quiet">Sign out</button>
    </form>
  </>
);

/** Proves that a form was made for this session. */
export const CsrfField: FC<{ session: PageSession }> = ({ session }) => (
  <input type="hidden" name="csrf" value={session.csrfToken} />
);

/** A form with one button. */
export const ActionForm: FC<
  PropsWithChildren<{ session: PageSession; action: string; button: string; kind?: string }>
> = ({ session, action, button, kind = "", children }) => (
  <form method="post" action={action} class="action">
    <CsrfField session={session} />
    {children}
    <button type="submit" class={kind}>{button}</button>
  </form>
);

/** Something that went well or not, in a box. */
export const Notice: FC<PropsWithChildren<{ kind: "good" | "bad" | "plain"; title: string }>> = (
  { kind, title, children },
) => (
  <section class={`notice ${kind}`}>
    <h2>{title}</h2>
    {children}
  </section>
);

/** A link to the web that can't be a script, whoever has chosen its address. */
export const OutsideLink: FC<PropsWithChildren<{ href: string; class?: string; newTab?: boolean }>> = (
  { href, class: className = "", newTab = true, children },
) => {
  if (!/^https?:$/.test(URL.parse(href)?.protocol ?? "")) return <span>{children}</span>;
  const target = newTab ? { target: "_blank" } : {};
  return <a href={href} class={className} rel="noopener noreferrer" {...target}>{children}</a>;
};

/** Text to be copied elsewhere; the button appears where scripts run. */
export const Copyable: FC<{ text: string; label: string }> = ({ text, label }) => (
  <span class="copyable">
    <code>{text}</code>
    <button type="button" class="quiet" data-copy={text} aria-label={`Copy ${label}`} hidden>Copy</button>
  </span>
);

/** A part of a page that the event stream replaces. */
export const LiveSection: FC<{ id: string; content: string }> = ({ id, content }) => (
  <div id={id} data-live>{raw(content)}</div>
);

/** Answers with a page. */
export async function respond(
  c: Context,
  page: Markup,
  status: ContentfulStatusCode = 200,
): Promise<Response> {
  return c.html(await documentText(page), status);
}

/** The text of a whole document. */
export async function documentText(page: Markup): Promise<string> {
  return `<!doctype html>\n${await markupText(page)}`;
}

/** The text of any markup. */
export async function markupText(markup: Markup): Promise<string> {
  return String(await (markup as { toString(): string | Promise<string> }).toString());
}
