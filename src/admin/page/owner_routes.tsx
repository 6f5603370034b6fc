/** What the owner of a mailbox sees who was sent a link. No admin token, and nothing but this one account's connection. */

import { Hono } from "hono";
import { requireAccount } from "../require_account.ts";
import { callbackAddress, GoOn } from "./connect_routes.tsx";
import { Notice, Page, respond } from "./layout.tsx";
import type { PageEnv, PageServices } from "./page_services.ts";

/** The routes of an owner. */
export function ownerRoutes(
  { context, authorizations, links }: Pick<PageServices, "context" | "authorizations" | "links">,
): Hono<PageEnv> {
  const app = new Hono<PageEnv>();
  // Programs that look into mail open links, too: only the button begins anything.
  app.get("/connect/:token", async (c) => {
    const link = links.find(c.req.param("token"));
    if (!link) return await respond(c, ended, 404);
    return await respond(
      c,
      <Page title="Connect your mailbox">
        <section class="panel narrow">
          <p>
            Somebody who runs xoauth2-proxy asks you to let it send mail as <strong>{link.email}</strong>.
          </p>
          <p>
            You sign in at your mail provider, not here. You can take the permission back there at any time.
          </p>
          <form method="post" action={`/connect/${link.token}`}>
            <button type="submit" class="main">Go on</button>
          </form>
        </section>
      </Page>,
    );
  });
  app.post("/connect/:token", async (c) => {
    const link = links.find(c.req.param("token"));
    if (!link) return await respond(c, ended, 404);
    const account = requireAccount(context.accounts, link.email);
    const { url } = await authorizations.startInBrowser(account, {
      redirectUri: callbackAddress(c),
      onAuthorized: () => links.spend(link.token),
    });
    return await respond(
      c,
      <Page title={`Connect ${account.email}`}>
        <GoOn url={url} />
      </Page>,
    );
  });
  return app;
}

const ended = (
  <Page title="Connect your mailbox">
    <Notice kind="bad" title="This link doesn't work any more">
      <p>It was used, has expired, or was replaced. Ask for another one.</p>
    </Notice>
  </Page>
);
