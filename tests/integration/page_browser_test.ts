/** The page as people use it: the real daemon, a real browser. */

import assert from "node:assert/strict";
import { browserTest, PageFixture, pageToken, TestBrowser } from "./page_fixture.ts";

const anna = "anna@example.com";

browserTest("the page opens with the admin token alone, and keeps it to itself", async () => {
  await using fixture = await PageFixture.start();
  await using browser = await TestBrowser.start();
  const page = await browser.context.newPage();
  await page.goto(fixture.url("/accounts?q=anna"));
  await page.getByLabel("Admin token").fill("a-wrong-token-of-enough-length");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("This is not the admin token").waitFor();
  await page.getByLabel("Admin token").fill(pageToken);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Accounts" }).waitFor();
  assert.equal(page.url(), fixture.url("/accounts?q=anna"));
  const [cookie, ...others] = await browser.context.cookies();
  assert.deepEqual(others, []);
  assert.deepEqual([cookie?.httpOnly, cookie?.sameSite], [true, "Strict"]);
  assert.ok(!cookie!.value.includes(pageToken) && !(await page.content()).includes(pageToken));
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Admin token").waitFor();
  await browser.context.addCookies([cookie!]);
  await page.goto(fixture.url("/messages"));
  await page.getByLabel("Admin token").waitFor();
});

browserTest("an account added on the page connects by code and PKCE, and sends", async () => {
  await using fixture = await PageFixture.start();
  await using browser = await TestBrowser.start();
  const page = await browser.signIn(fixture);
  await page.getByRole("link", { name: "Add the first one" }).click();
  await page.getByRole("link", { name: "test-mail" }).click();
  await page.getByLabel("Address of the mailbox").fill(anna);
  await page.getByLabel("Client ID").fill(fixture.provider.clientId);
  await page.getByLabel("Client secret").fill(fixture.provider.clientSecret);
  await page.getByRole("button", { name: "Add" }).click();
  const password = await page.locator("#password code").innerText();
  await page.getByRole("link", { name: "Connect it" }).click();
  await page.getByRole("button", { name: "In this browser" }).click();
  const popup = page.waitForEvent("popup");
  await page.getByRole("link", { name: "Continue at 127.0.0.1" }).click();
  const consent = await popup;
  await consent.getByRole("button", { name: "Allow" }).click();
  await consent.getByText(`${anna} can send now`).waitFor();
  await page.getByRole("heading", { name: "Connected" }).waitFor();
  await page.getByRole("button", { name: "Verify" }).click();
  await page.getByText("The mail server let the account sign in").waitFor();
  await page.getByRole("heading", { name: "The account can send" }).waitFor();

  await page.getByRole("link", { name: "Messages" }).click();
  await page.getByText("No message has come through").waitFor();
  await fixture.send(anna, { password });
  const line = page.getByRole("row").filter({ hasText: anna });
  await line.waitFor();
  assert.match(await line.innerText(), /relayed[^]*1[^]*250 2\.0\.0/);
  assert.equal(fixture.upstream.messages.length, 1);
  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByText("1 this minute").waitFor();
  assert.deepEqual(browser.complaints, []);
});

browserTest("verifying an account that was revoked names cause and remedy", async () => {
  await using fixture = await PageFixture.start({ accounts: [{ email: anna }] });
  await using browser = await TestBrowser.start();
  fixture.provider.revokeAll();
  const page = await browser.signIn(fixture, `/accounts/${anna}`);
  await page.getByRole("button", { name: "Verify" }).click();
  await page.getByRole("heading", { name: "The account can't send" }).waitFor();
  const story = await page.locator(".result").innerText();
  assert.match(story, /Cause\s+.*invalid_grant/);
  assert.match(story, /Remedy\s+Authorize the account again/);
  await assert.rejects(fixture.send(anna), /454/);
  await page.goto(fixture.url("/"));
  await page.getByRole("heading", { name: "1 account to look at" }).waitFor();
  assert.match(await page.locator("#attention").innerText(), /anna@example.com needs sign-in[^]*Authorize/);
});

browserTest("a verification shows each step when it has gone well", async () => {
  await using fixture = await PageFixture.start({ accounts: [{ email: anna }] });
  await using browser = await TestBrowser.start();
  const page = await browser.signIn(fixture, `/accounts/${anna}`);
  const answer = Promise.withResolvers<void>();
  fixture.upstream.once("AUTH", { until: answer.promise });
  await page.getByRole("button", { name: "Verify" }).click();
  await page.getByText("Connected to 127.0.0.1").waitFor();
  await page.getByText("certificate and host name are right").waitFor();
  assert.equal(await page.getByRole("heading", { name: "The account" }).count(), 0);
  answer.resolve();
  await page.getByRole("heading", { name: "The account can send" }).waitFor();
});

browserTest("a password set on the page is shown once, and signs clients in", async () => {
  await using fixture = await PageFixture.start({ accounts: [{ email: anna }] });
  await using browser = await TestBrowser.start();
  const page = await browser.signIn(fixture, `/accounts/${anna}`);
  await page.getByRole("button", { name: "Set a password" }).click();
  const password = await page.locator("#password code").innerText();
  await assert.rejects(fixture.send(anna, { password: "another" }), /535/);
  await fixture.send(anna, { password });
  await page.getByRole("link", { name: "Back to the account" }).click();
  await page.getByText("Set another password").waitFor();
  assert.ok(!(await page.content()).includes(password));
});

browserTest("a device code connects an account", async () => {
  await using fixture = await PageFixture.start({ accounts: [{ email: anna, refresh_token: undefined }] });
  await using browser = await TestBrowser.start();
  const page = await browser.signIn(fixture, `/accounts/${anna}`);
  await page.getByText("Nobody has allowed the proxy").waitFor();
  await page.getByRole("button", { name: "With a code on another device" }).click();
  await page.getByText("WDJB-MJHT").waitFor();
  await page.getByText("Waiting for the sign-in").waitFor();
  fixture.provider.allowedDevices.add("any");
  await page.getByRole("heading", { name: "Connected" }).waitFor();
  await fixture.send(anna);
});

browserTest("the owner of a mailbox connects it with a link and no token, once", async () => {
  await using fixture = await PageFixture.start({ accounts: [{ email: anna, refresh_token: undefined }] });
  await using browser = await TestBrowser.start();
  const admin = await browser.signIn(fixture, `/accounts/${anna}`);
  await admin.getByRole("button", { name: "With a link for the owner" }).click();
  const link = await admin.locator("code").filter({ hasText: "/connect/" }).innerText();
  await using other = await TestBrowser.start();
  const page = await other.context.newPage();
  await page.goto(link);
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("link", { name: "Continue at 127.0.0.1" }).click();
  await page.getByRole("button", { name: "Deny" }).click();
  await page.getByRole("heading", { name: "Not authorized" }).waitFor();
  await page.goto(link);
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("link", { name: "Continue at 127.0.0.1" }).click();
  await page.getByRole("button", { name: "Allow" }).click();
  await page.getByText(`${anna} can send now`).waitFor();
  const again = await page.goto(link);
  assert.equal(again?.status(), 404);
  await page.goto(fixture.url("/accounts"));
  await page.getByLabel("Admin token").waitFor();
  await fixture.send(anna);
});

browserTest("the page shows a drain as it happens, to its end", async () => {
  await using fixture = await PageFixture.start({ accounts: [{ email: anna }] });
  await using browser = await TestBrowser.start();
  const bystander = await browser.signIn(fixture);
  await bystander.getByText("Live", { exact: true }).waitFor();
  const page = await browser.context.newPage();
  await page.goto(fixture.url("/"));
  await page.getByRole("link", { name: "Drain and stop" }).click();
  const finalReply = Promise.withResolvers<void>();
  fixture.upstream.once("finalDot", { until: finalReply.promise });
  const sent = fixture.send(anna);
  await fixture.upstream.waitFor(() => fixture.upstream.passages("finalDot") > 0, "the final dot");
  await page.getByRole("button", { name: "Drain and stop" }).click();
  await page.getByText("Listeners are closed").waitFor();
  await page.getByText("1 message under way").waitFor();
  await bystander.getByRole("heading", { name: "Draining" }).waitFor();
  finalReply.resolve();
  await sent;
  await page.getByText("All is done").waitFor();
  await bystander.getByText("The daemon has stopped.").waitFor();
  assert.deepEqual(await fixture.daemon.exited, { code: 0, signal: null });
});

browserTest("reload on the page tells what changed, and refuses what is wrong", async () => {
  await using fixture = await PageFixture.start({ accounts: [{ email: anna }] });
  await using browser = await TestBrowser.start();
  const page = await browser.signIn(fixture, "/reload");
  await Deno.writeTextFile(`${fixture.daemon.directory}/accounts.json`, "[]");
  await page.getByRole("button", { name: "Reload" }).click();
  await page.getByRole("heading", { name: "Reloaded in" }).waitFor();
  assert.match(await page.locator("main").innerText(), /"removed":\["anna@example.com"\]/);
  await Deno.writeTextFile(`${fixture.daemon.directory}/config.json`, `{"listeners": 1}`);
  await page.goto(fixture.url("/reload"));
  await page.getByRole("button", { name: "Reload" }).click();
  await page.getByText("running on unchanged").waitFor();
});
