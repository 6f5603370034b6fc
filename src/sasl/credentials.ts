/** What a client signs in with, whatever the mechanism (RFC 4422 §3.4.1). */
export interface Credentials {
  /** On whose behalf; empty: the authentication identity's own. */
  readonly authorizationIdentity: string;
  readonly authenticationIdentity: string;
  readonly password: string;
}
