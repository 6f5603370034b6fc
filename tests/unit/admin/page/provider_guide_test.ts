import assert from "node:assert/strict";
import { guideFor, orderedProviders } from "../../../../src/admin/page/provider_guide.ts";
import { providerPresets } from "../../../../src/config/provider_presets.ts";
import type { ProviderSettings } from "../../../../src/config/settings.ts";

function provider(name: string, more: Partial<ProviderSettings> = {}): ProviderSettings {
  return { name, ...more } as ProviderSettings;
}

Deno.test("guideFor has a title for every preset", () => {
  for (const { name } of providerPresets) assert.notEqual(guideFor(provider(name)).title, name);
});

Deno.test("guideFor reads from the settings what a provider of config.json can do", () => {
  assert.deepEqual(guideFor(provider("own")), {
    title: "own",
    notes: [],
    hasTenant: false,
    secret: "optional",
  });
  const withApp = provider("toString", { clientCredentialsScope: "all" });
  assert.equal(guideFor(withApp).title, "toString");
  assert.equal(guideFor(withApp).appGrant, "client_credentials");
});

Deno.test("orderedProviders begins with the operator's own and lists no alias twice", () => {
  const gmail = provider("gmail");
  const providers = new Map([
    ["yahoo", provider("yahoo")],
    ["outlook", provider("outlook")],
    ["gmail", gmail],
    ["google", gmail],
    ["own", provider("own")],
  ]);
  assert.deepEqual(orderedProviders(providers).map(({ name }) => name), ["own", "gmail", "outlook", "yahoo"]);
});
