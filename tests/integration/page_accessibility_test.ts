/** What axe finds on each page, wide and narrow, light and dark. */

import assert from "node:assert/strict";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { browserTest, PageFixture, TestBrowser } from "./page_fixture.ts";

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

const paths = [
  "/",
  "/accounts",
  "/accounts/anna%40example.com",
  "/accounts/new",
  "/accounts/new?provider=gmail",
  "/accounts/new?provider=outlook",
  "/messages",
  "/reload",
  "/stop",
];

async function look(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate("axe.run()") as { violations: Violation[] };
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
}

async function faultsOf(page: Page, fixture: PageFixture): Promise<string[]> {
  const faults: string[] = [];
  for (const path of paths) {
    await page.goto(fixture.url(path));
    faults.push(...(await look(page)).map((fault) => `${path} ${fault}`));
    const isWider = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
    if (await page.evaluate(isWider)) faults.push(`${path} is wider than the window`);
  }
  return faults;
}

browserTest("axe finds no serious fault on the pages", async () => {
  const bert = { email: "bert@example.com", refresh_token: "revoked" };
  const carla = {
    email: "carla.with.a.very.long.name.of.her.own@a.long.domain.example.com",
    refresh_token: undefined,
  };
  await using fixture = await PageFixture.start({ accounts: [{ email: "anna@example.com" }, bert, carla] });
  await fixture.send("anna@example.com");
  await assert.rejects(fixture.send(bert.email), /454/);
  await using browser = await TestBrowser.start();
  const visitor = await browser.context.newPage();
  await visitor.goto(fixture.url("/"));
  assert.deepEqual(await look(visitor), []);
  const page = await browser.signIn(fixture);
  assert.deepEqual(await faultsOf(page, fixture), []);
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 390, height: 800 });
  assert.deepEqual(await faultsOf(page, fixture), []);
});

browserTest("the pages work with the keyboard", async () => {
  await using fixture = await PageFixture.start({ accounts: [{ email: "anna@example.com" }] });
  await using browser = await TestBrowser.start();
  const page = await browser.signIn(fixture);
  await page.goto(fixture.url("/"));
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate("document.activeElement.id"), "content");
  await page.goto(fixture.url("/accounts/anna@example.com"));
  const remove = page.getByText("Remove the account");
  await remove.focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByText("There are no accounts yet.").waitFor();
});

browserTest("the essentials work without scripts", async () => {
  await using fixture = await PageFixture.start({ accounts: [{ email: "anna@example.com" }] });
  await using browser = await TestBrowser.start({ javaScriptEnabled: false });
  const page = await browser.signIn(fixture);
  await page.getByText("running").waitFor();
  await page.goto(fixture.url("/accounts/anna@example.com"));
  await page.getByRole("button", { name: "Verify" }).click();
  await page.getByRole("heading", { name: "The account can send" }).waitFor();
  await page.goto(fixture.url("/stop"));
  await page.getByRole("button", { name: "Drain and stop" }).click();
  await page.getByText("All is done").waitFor();
  assert.deepEqual(await fixture.daemon.exited, { code: 0, signal: null });
});
