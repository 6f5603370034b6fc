/** What an administrator has to know about a provider before its accounts can be connected. */

import type { ProviderSettings } from "../../config/settings.ts";

/** The guide for one provider. */
export interface ProviderGuide {
  readonly title: string;
  /** Where the app is registered. */
  readonly console?: { readonly name: string; readonly url: string };
  /** Sentences about the registration. */
  readonly notes: readonly string[];
  readonly hasTenant: boolean;
  /** Whether the provider's token endpoint insists on a secret for web apps. */
  readonly secret: "needed" | "optional";
  /** The app itself gets tokens, without a user: client credentials, or a service account. */
  readonly appGrant?: "client_credentials" | "service_account";
}

const entra = { name: "Microsoft Entra admin center", url: "https://entra.microsoft.com/" };

const microsoft: ProviderGuide = {
  title: "Microsoft 365",
  console: entra,
  notes: [
    "Register an app, add the redirect URI under the platform “Web”, and give it the delegated permission SMTP.Send of Office 365 Exchange Online.",
    "SMTP AUTH has to be switched on for the mailbox: Set-CASMailbox MAILBOX -SmtpClientAuthenticationDisabled $false.",
    "A device code needs “Allow public client flows” in the app's authentication settings, and no client secret.",
  ],
  hasTenant: true,
  secret: "optional",
  appGrant: "client_credentials",
};

const google: ProviderGuide = {
  title: "Gmail and Google Workspace",
  console: { name: "Google Cloud console", url: "https://console.cloud.google.com/apis/credentials" },
  notes: [
    "Create an OAuth client of the type “Web application” with the redirect URI below, and add the scope https://mail.google.com/ to the consent screen.",
    "Set the app's publishing status to “In production”, or to “Internal” in a Workspace: while it is “Testing”, Google ends each grant after 7 days.",
  ],
  hasTenant: false,
  secret: "needed",
  appGrant: "service_account",
};

const closed =
  "This provider takes hardly any new apps for mail. You need a client ID that it has already approved.";

const guides: Readonly<Record<string, ProviderGuide>> = {
  "gmail": google,
  "gmail-relay": { ...google, title: "Google Workspace SMTP relay" },
  "outlook": microsoft,
  "outlook-personal": plain("Outlook.com, personal", {
    console: entra,
    notes: ["Register an app for personal Microsoft accounts, with the redirect URI below."],
  }),
  "outlook-hve": { ...microsoft, title: "Microsoft 365 High Volume Email" },
  "outlook-gcc-high": { ...microsoft, title: "Microsoft 365 GCC High" },
  "outlook-dod": { ...microsoft, title: "Microsoft 365 DoD" },
  "outlook-china": { ...microsoft, title: "Microsoft 365 in China (21Vianet)" },
  "yahoo": plain("Yahoo Mail", { notes: [closed], secret: "needed" }),
  "aol": plain("AOL Mail", { notes: [closed], secret: "needed" }),
  "fastmail": plain("Fastmail", {
    notes: ["Fastmail registers apps by hand, on request."],
  }),
  "yandex": plain("Yandex", { secret: "needed" }),
  "mailru": plain("Mail.ru", { secret: "needed" }),
  "comcast": plain("Comcast Xfinity"),
};

/** The guide for a provider; one from config.json is described by what its settings say. */
export function guideFor({ name, clientCredentialsScope }: ProviderSettings): ProviderGuide {
  const guide = Object.hasOwn(guides, name) ? guides[name]! : plain(name);
  if (guide.appGrant !== undefined || clientCredentialsScope === undefined) return guide;
  return { ...guide, appGrant: "client_credentials" };
}

/** Providers in the order in which most people look for theirs; those of config.json come first. */
export function orderedProviders(providers: ReadonlyMap<string, ProviderSettings>): ProviderSettings[] {
  const known = Object.keys(guides);
  const frequent = ["gmail", "outlook", "outlook-personal"];
  const place = ({ name }: ProviderSettings) => {
    if (!known.includes(name)) return -known.length;
    return frequent.includes(name) ? frequent.indexOf(name) - frequent.length : known.indexOf(name);
  };
  // Aliases lead to the same settings.
  return [...new Set(providers.values())].sort((a, b) => place(a) - place(b));
}

function plain(title: string, more: Partial<ProviderGuide> = {}): ProviderGuide {
  return { title, notes: [], hasTenant: false, secret: "optional", ...more };
}
