/** The form for a new account: first the provider, then what that provider wants. */

import type { FC, PropsWithChildren } from "hono/jsx";
import { formatEndpoint } from "../../config/endpoint.ts";
import type { ProviderSettings } from "../../config/settings.ts";
import { Copyable, CsrfField, OutsideLink, Page } from "./layout.tsx";
import type { PageSession } from "./page_sessions.ts";
import { type Problem, ProblemNotice } from "./problem_page.tsx";
import { guideFor, type ProviderGuide } from "./provider_guide.ts";

/** First step. */
export const ProviderChoice: FC<{ session: PageSession; providers: readonly ProviderSettings[] }> = (
  { session, providers },
) => (
  <Page title="Add an account" current="accounts" session={session}>
    <h2>Where is the mailbox?</h2>
    <ul class="choices">
      {providers.map((provider) => (
        <li>
          <a href={`/accounts/new?${new URLSearchParams({ provider: provider.name })}`}>
            <strong>{guideFor(provider).title}</strong>
            <span class="muted">{formatEndpoint(provider.smtpEndpoint)}</span>
          </a>
        </li>
      ))}
    </ul>
  </Page>
);

/** Second step. */
export interface NewAccountFormProps {
  readonly session: PageSession;
  readonly provider: ProviderSettings;
  readonly redirectUri: string;
  /** What was sent before, and what was wrong with it. */
  readonly entered: URLSearchParams;
  readonly problem?: Problem;
}

/** See `NewAccountFormProps`. */
export const NewAccountForm: FC<NewAccountFormProps> = (
  { session, provider, redirectUri, entered, problem },
) => {
  const guide = guideFor(provider);
  const form = { entered, problem };
  return (
    <Page title="Add an account" current="accounts" session={session}>
      <p>
        {guide.title} · <a href="/accounts/new">another provider</a>
      </p>
      {problem && <ProblemNotice problem={problem} />}
      <Registration guide={guide} redirectUri={redirectUri} />
      <form method="post" action="/accounts/new" class="panel new-account">
        <CsrfField session={session} />
        <input type="hidden" name="provider" value={provider.name} />
        <TextField name="email" label="Address of the mailbox" type="email" required {...form} />
        <TextField name="client_id" label="Client ID of the app" {...form}>
          {guide.appGrant === "service_account" && "Not needed with a service account."}
        </TextField>
        <TextField
          name="client_secret"
          label={`Client secret${guide.secret === "optional" ? " (if the app has one)" : ""}`}
          type="password"
          {...form}
        />
        {guide.hasTenant && (
          <TextField name="tenant" label="Directory (tenant) ID or domain" {...form}>
            Leave it empty for an app that is open to every organization.
          </TextField>
        )}
        <Ways provider={provider} guide={guide} {...form} />
        <TextField name="username" label="User name for SMTP clients (default: the address)" {...form} />
        <label class="check">
          <input type="checkbox" name="make_password" value="yes" checked={isPasswordWanted(entered)} />{" "}
          Make a password for SMTP clients, shown once
        </label>
        <p class="hint">
          Without a password, any program on this machine may send as this mailbox, and no other.
        </p>
        <button type="submit" class="main">Add</button>
      </form>
    </Page>
  );
};

const Registration: FC<{ guide: ProviderGuide; redirectUri: string }> = ({ guide, redirectUri }) => (
  <details class="panel">
    <summary>The app at the provider</summary>
    {guide.console && (
      <p>
        The proxy needs an app of yours, registered in the{" "}
        <OutsideLink href={guide.console.url}>{guide.console.name}</OutsideLink>.
      </p>
    )}
    <ul>{guide.notes.map((note) => <li key={note}>{note}</li>)}</ul>
    <p>
      Redirect URI: <Copyable text={redirectUri} label="redirect URI" />
    </p>
  </details>
);

interface FormState {
  readonly entered: URLSearchParams;
  readonly problem?: Problem | undefined;
}

const Ways: FC<FormState & { provider: ProviderSettings; guide: ProviderGuide }> = (
  { provider, guide, entered, problem },
) => {
  const form = { entered, problem };
  const first = provider.authorizationUrl ?? provider.deviceAuthorizationUrl ? "connect" : "refresh_token";
  const chosen = entered.get("way") ?? first;
  return (
    <fieldset>
      <legend>How does the proxy get access?</legend>
      {first === "connect" && (
        <Way value="connect" chosen={chosen}>The owner of the mailbox signs in: next step</Way>
      )}
      <Way value="refresh_token" chosen={chosen}>I have a refresh token</Way>
      {guide.appGrant === "client_credentials" && (
        <Way value="client_credentials" chosen={chosen}>
          The app has access of its own (client credentials)
        </Way>
      )}
      {guide.appGrant === "service_account" && (
        <Way value="service_account" chosen={chosen}>Service account with domain-wide delegation</Way>
      )}
      <div class="only-refresh_token">
        <TextField name="refresh_token" label="Refresh token" type="password" {...form} />
      </div>
      <div class="only-service_account">
        <TextField name="private_key_file" label="Key file on the daemon's machine" {...form} />
      </div>
    </fieldset>
  );
};

const Way: FC<PropsWithChildren<{ value: string; chosen: string }>> = ({ value, chosen, children }) => (
  <label class="check">
    <input type="radio" name="way" id={`way-${value}`} value={value} checked={value === chosen} /> {children}
  </label>
);

/** A field with what is wrong with it. Secrets are not sent back. */
const TextField: FC<
  PropsWithChildren<FormState & { name: string; label: string; type?: string; required?: boolean }>
> = ({ name, label, type = "text", required = false, entered, problem, children }) => {
  const faults = problem?.details.filter(({ path }) => path === name) ?? [];
  const notes = [...(children ? [`${name}-hint`] : []), ...(faults.length > 0 ? [`${name}-fault`] : [])];
  const described = notes.length > 0 ? { "aria-describedby": notes.join(" ") } : {};
  return (
    <div class="field">
      <label for={name}>{label}</label>
      <input
        id={name}
        name={name}
        type={type}
        required={required}
        autocomplete="off"
        spellcheck={false}
        value={type === "password" ? "" : entered.get(name) ?? ""}
        {...(faults.length > 0 ? { "aria-invalid": "true" as const } : {})}
        {...described}
      />
      {children && <p class="hint" id={`${name}-hint`}>{children}</p>}
      {faults.length > 0 && (
        <p class="fault" id={`${name}-fault`}>
          {faults.map(({ message, hint }) => hint === "" ? message : `${message}: ${hint}`).join("; ")}
        </p>
      )}
    </div>
  );
};

/** A form that wasn't sent yet has the box ticked. */
function isPasswordWanted(entered: URLSearchParams): boolean {
  return !entered.has("provider") || entered.get("make_password") === "yes";
}
