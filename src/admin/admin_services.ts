import type { AdminContext } from "./admin_context.ts";
import type { AccountAdmission } from "./account_admission.ts";
import type { Authorizations } from "./authorizations.ts";
import type { OwnerLinks } from "./page/owner_links.ts";

/** What the routes share. */
export interface AdminServices {
  readonly context: AdminContext;
  readonly admission: AccountAdmission;
  readonly authorizations: Authorizations;
  readonly links: OwnerLinks;
  /** Aborts when the server closes: streams end, and nothing more begins. */
  readonly closing: AbortSignal;
  /** Aborts a moment later: verifications under way give up. */
  readonly givingUp: AbortSignal;
}
