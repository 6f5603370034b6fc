import assert from "node:assert/strict";
import { buildProviders } from "../../../src/config/build_providers.ts";
import { isSecureUrl } from "../../../src/config/config_values.ts";
import { providerPresets } from "../../../src/config/provider_presets.ts";

const { providers } = buildProviders({}, { file: "config.json", resolvePath: (path) => path });

Deno.test("providerPresets gives no name to two services", () => {
  const names = providerPresets.flatMap(({ name, aliases }) => [name, ...aliases]);
  assert.equal(new Set(names).size, names.length);
  assert.ok(names.every((name) => name === name.toLowerCase()));
});

for (const preset of providerPresets) {
  Deno.test(`providerPresets has only https URLs and encrypted SMTP for ${preset.name}`, () => {
    const provider = providers.get(preset.name);
    assert.ok(provider);
    const { tokenUrl, authorizationUrl, deviceAuthorizationUrl = tokenUrl } = provider;
    assert.ok(authorizationUrl);
    for (const url of [tokenUrl, authorizationUrl, deviceAuthorizationUrl]) {
      assert.ok(isSecureUrl(url) && url.startsWith("https://") && !url.includes("{"), url);
    }
    assert.equal(provider.smtpSecurity, provider.smtpEndpoint.port === 465 ? "tls" : "starttls");
    assert.ok(provider.scope);
  });
}
