/** The real daemon with its page, an authorization server, a mail server, and a browser to look with. */

import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from "playwright-core";
import { AuthorizationServer, type AuthorizationServerOptions } from "../support/authorization_server.ts";
import { DaemonProcess } from "../support/daemon_process.ts";
import { ScriptedUpstream } from "../support/scripted_upstream.ts";
import { SmtpTestClient } from "../support/smtp_client.ts";

/** What the daemon is started with. */
export interface PageFixtureOptions {
  /** Fields of accounts, over those of an account that works. */
  readonly accounts?: readonly Readonly<Record<string, unknown>>[];
  readonly authorization?: AuthorizationServerOptions;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Signs in to every fixture's page. */
export const pageToken = "an-admin-token-for-the-page";

const executablePath = Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium";

/** Why there can be no browser test here, if so. */
export const noBrowser: string | undefined = await isThere(executablePath)
  ? undefined
  : `there is no Chromium at ${executablePath}; CHROMIUM names another place`;

/** A test in a browser; skipped, with its reason in the output, where there is none. */
export function browserTest(name: string, run: () => Promise<void>): void {
  Deno.test({
    name: noBrowser ? `${name} (skipped: ${noBrowser})` : name,
    ignore: noBrowser !== undefined,
    fn: run,
  });
}

/** What runs. */
export class PageFixture implements AsyncDisposable {
  private constructor(
    readonly daemon: DaemonProcess,
    readonly upstream: ScriptedUpstream,
    readonly provider: AuthorizationServer,
    readonly stack: AsyncDisposableStack,
  ) {}

  /** Starts the servers and the daemon. */
  static async start(
    { accounts = [], authorization = {}, config = {} }: PageFixtureOptions = {},
  ): Promise<PageFixture> {
    await using stack = new AsyncDisposableStack();
    const provider = stack.use(AuthorizationServer.start(authorization));
    const accepts = (_user: string, token: string) => provider.isAccessToken(token);
    const upstream = stack.use(await ScriptedUpstream.start({ accepts }));
    const caFile = await Deno.makeTempFile({ suffix: ".pem" });
    stack.defer(() => Deno.remove(caFile));
    await Deno.writeTextFile(caFile, upstream.caCertificate);
    const daemon = stack.use(
      await DaemonProcess.start({
        config: {
          ...config,
          providers: {
            "test-mail": {
              smtp_endpoint: `127.0.0.1:${upstream.endpoint.port}`,
              smtp_security: "starttls",
              ca_file: caFile,
              limits: { connections: 3, messages_per_minute: 30, recipients_per_day: 10_000 },
              ...provider.providerSettings,
            },
          },
        },
        accounts: accounts.map((account) => ({
          provider: "test-mail",
          client_id: provider.clientId,
          client_secret: provider.clientSecret,
          refresh_token: provider.grantRefreshToken(),
          ...account,
        })),
        env: { XOAUTH2_ADMIN_TOKEN: pageToken },
      }),
    );
    return new PageFixture(daemon, upstream, provider, stack.move());
  }

  /** Address of a path of the page. */
  url(path: string): string {
    return `${this.daemon.adminUrl}${path}`;
  }

  /** Sends one message through the daemon. */
  async send(
    email: string,
    { username = email, password = "any", sender = email, subject = "Hello" } = {},
  ): Promise<void> {
    await using client = await SmtpTestClient.connect({ port: this.daemon.listener.port });
    await client.expect("220 *");
    await client.command("EHLO client.example", "250 *");
    await client.authPlain(username, password);
    await client.command(`MAIL FROM:<${sender}>`, "250 *");
    await client.command("RCPT TO:<rcpt@example.com>", "250 *");
    await client.command("DATA", "354 *");
    await client.command(`Subject: ${subject}\r\n\r\nHello\r\n.`, "250 *");
    // A daemon that drains says 421 as soon as the message is through.
    await client.command("QUIT", /^[24]21 /);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}

/** A browser with a profile of its own. */
export class TestBrowser implements AsyncDisposable {
  /** Scripts that pages wanted to run and may not, and errors of those that ran. */
  readonly complaints: string[] = [];

  private constructor(readonly browser: Browser, readonly context: BrowserContext) {}

  /** Starts a browser. */
  static async start(options: Pick<BrowserContextOptions, "javaScriptEnabled"> = {}): Promise<TestBrowser> {
    const browser = await chromium.launch({
      executablePath,
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    context.setDefaultTimeout(10_000);
    const started = new TestBrowser(browser, context);
    context.on("weberror", (error) => started.complaints.push(String(error.error())));
    context.on("dialog", (dialog) => {
      started.complaints.push(`dialog: ${dialog.message()}`);
      dialog.dismiss().catch(() => {}); // the page may be gone
    });
    context.on("console", (message) => {
      if (message.type() === "error") started.complaints.push(message.text());
    });
    return started;
  }

  /** Opens the page and signs in. */
  async signIn(fixture: PageFixture, path = "/"): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(fixture.url(path));
    await page.getByLabel("Admin token").fill(pageToken);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("button", { name: "Sign out" }).waitFor();
    // Chromium reports the 401 of a page that asks for the sign-in.
    this.complaints.length = 0;
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
    await this.browser.close();
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
