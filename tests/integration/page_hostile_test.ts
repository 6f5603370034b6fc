/** Texts that others choose stay texts, wherever the page shows them. */

import assert from "node:assert/strict";
import { browserTest, PageFixture, TestBrowser } from "./page_fixture.ts";

const attack = `"'><img src=x onerror=alert(1)><script>alert(2)</script>`;
/** Without the characters that an address may not have. */
const hostile = `x"'><svg/onload=alert(3)>@example.com`;
const path = `/accounts/${encodeURIComponent(hostile)}`;

browserTest("a hostile account, header or reply runs no script on any page", async () => {
  await using fixture = await PageFixture.start({
    accounts: [{ email: hostile, username: attack }],
  });
  fixture.upstream.once("finalDot", { reply: `554 5.7.1 ${attack}` });
  const message = { username: attack, subject: attack, sender: "x@example.com" };
  await assert.rejects(fixture.send(hostile, message), /554/);
  await using browser = await TestBrowser.start();
  const page = await browser.signIn(fixture, "/messages");
  await page.getByText(attack).waitFor();
  for (const place of ["/", "/accounts", `/accounts?q=${encodeURIComponent(attack)}`, path]) {
    await page.goto(fixture.url(place));
    assert.equal(await page.locator("img, svg[onload], main script").count(), 0, place);
  }
  assert.match(await page.locator("main").innerText(), /alert\(2\)/);
  fixture.upstream.once("AUTH", { reply: `535 5.7.8 ${attack}` });
  fixture.upstream.once("AUTH", { reply: `535 5.7.8 ${attack}` });
  await page.getByRole("button", { name: "Verify" }).click();
  await page.getByText(attack).first().waitFor();
  await page.goto(fixture.url(`/messages?account=${encodeURIComponent(attack)}`));
  await page.getByText("Only").waitFor();
  assert.deepEqual(browser.complaints, []);
});

browserTest("a provider's device page can't be a script", async () => {
  await using fixture = await PageFixture.start({
    accounts: [{ email: "anna@example.com" }],
    authorization: { verificationUri: "javascript:alert(document.domain)" },
  });
  await using browser = await TestBrowser.start();
  const page = await browser.signIn(fixture, "/accounts/anna@example.com");
  await page.getByRole("button", { name: "With a code on another device" }).click();
  await page.getByText(/verification_uri/).first().waitFor();
  assert.equal(await page.locator("a[href^='javascript']").count(), 0);
  // The answer says that the provider's can't be used.
  assert.deepEqual(browser.complaints.filter((complaint) => !/502 \(Bad Gateway\)/.test(complaint)), []);
});

browserTest("the policy stops a script that got onto the page all the same", async () => {
  await using fixture = await PageFixture.start();
  await using browser = await TestBrowser.start();
  const page = await browser.signIn(fixture);
  const refused = page.waitForEvent("console", (message) => /Content Security Policy/.test(message.text()));
  await page.evaluate(`document.querySelector("main").innerHTML = ${JSON.stringify(attack)}`);
  await refused;
  assert.deepEqual(browser.complaints.filter((complaint) => complaint.startsWith("dialog")), []);
});
