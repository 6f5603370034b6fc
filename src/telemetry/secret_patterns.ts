/**
 * What secrets look like, for the second net under the log. The first is that nobody logs them.
 */

import type { FieldPatterns, RedactionPatterns } from "@logtape/redaction";

/** Stands where a secret was. */
export const redacted = "[REDACTED]";

/** Names of properties whose value is a secret. One expression: each is tried on every property of every line. */
export const secretFields: FieldPatterns = [
  new RegExp(
    [
      "^(access|refresh|id|bearer|admin)?_?token$",
      "secret",
      "^password$",
      "^(private|secret|api)_?key$",
      "^(authorization|credentials?|cookie)$",
      "^(client_?)?assertion$",
      "^(code_?)?verifier$",
    ].join("|"),
    "i",
  ),
];

/** What no secret of `secretPatterns` can do without: a line that lacks all of it needs no closer look. */
export const secretHint =
  /bearer|_token|client_secret|assertion|code_verifier|password|eyJ|ya29\.|1\/\/|GOCSPX-|Ew[A-D]|M\.C\d|[01]\.A|dXNlcj|bixhP|AUTH\s/i;

/** Secrets inside of texts, by the shapes that OAuth, the providers and SASL give them. */
export const secretPatterns: RedactionPatterns = [
  // RFC 6750 §2.1; also inside a decoded XOAUTH2 response.
  { pattern: /\bBearer\s+[\w.~+/-]{8,}=*/gi, replacement: `Bearer ${redacted}` },
  // Form bodies and JSON of token requests and responses (RFC 6749 §4, §5.1). Not the text of a finding,
  // such as "refresh_token: can't be decrypted".
  {
    pattern:
      /\b((?:access|refresh|id)_token|client_secret|client_assertion|assertion|code_verifier|password)(\\*"?\s*[=:]\s*\\*"?)(?!(?<=\w: )(?:can't|cannot|must|is|are|has|does|belongs|needs) )[^\s"&,}\\]+/gi,
    replacement: `$1$2${redacted}`,
  },
  // JWTs (RFC 7519 §3): a JOSE header in base64url begins so.
  { pattern: /\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)*/g, replacement: redacted },
  // Google: access tokens, refresh tokens, client secrets.
  { pattern: /\bya29\.[\w-]{8,}/g, replacement: redacted },
  { pattern: /\b1\/\/[\w-]{20,}/g, replacement: redacted },
  { pattern: /\bGOCSPX-[\w-]{8,}/g, replacement: redacted },
  // Microsoft: opaque tokens of personal accounts, refresh tokens of Entra.
  { pattern: /\bEw[A-D][\w+/]{40,}={0,2}/g, replacement: redacted },
  { pattern: /\bM\.C\d+_[\w.!*$-]{20,}/g, replacement: redacted },
  { pattern: /\b[01]\.A[\w.-]{60,}/g, replacement: redacted },
  // SASL: base64 of "user=" (XOAUTH2) and of "n,a=" (OAUTHBEARER), and initial responses of AUTH.
  { pattern: /\b(?:dXNlcj|bixhP)[\w+/]{16,}={0,2}/g, replacement: redacted },
  {
    pattern: /\b(AUTH\s+(?:PLAIN|LOGIN|XOAUTH2|OAUTHBEARER)\s+)[\w+/]{4,}={0,2}/gi,
    replacement: `$1${redacted}`,
  },
];
