/**
 * What Microsoft's AADSTS numbers mean for an operator. `error` decides whether a failure lasts; the numbers refine the
 * remedy, and name the few cases that pass by themselves although `error` sounds final.
 *
 * @see Microsoft, "Microsoft Entra authentication and authorization error codes".
 */

const transientCodes = new Set([
  40010,
  50033,
  50087,
  50088,
  70012,
  80005,
  90006,
  90012,
  90024,
  90033,
  90055,
  90090,
  // Too many identical requests: arrives as invalid_grant and means slow down.
  50196,
]);

const throttlingCodes = new Set([50196, 90055]);

const remedies: readonly (readonly [remedy: string, codes: readonly number[]])[] = [
  ["Create a new client secret in the Entra app registration and put it into client_secret", [7000222]],
  ["Copy the client secret's value, not its id, from the Entra app registration into client_secret", [
    7000215,
  ]],
  ["Put the app's client secret into client_secret, or allow public client flows in the app", [7000218]],
  ["Remove client_secret: the app is registered as a public client", [700025]],
  ["Check that certificate_file is the one uploaded to the app and private_key_file its key", [700027]],
  ["Check client_id and tenant: the app was not found there, or is disabled", [700016, 700011, 7000112]],
  ["Check tenant: it does not exist", [90002]],
  ["Let an administrator grant consent to the app", [65001, 65004, 90094, 650052, 650056, 650057]],
  ["Check scope: the resource is not known in this tenant, or the scope does not exist", [
    70011,
    28002,
    500011,
    700022,
    9002332,
  ]],
  ["Set tenant to the organization's own: the app can't be used on common", [50194]],
  ["Set tenant to the organization's id: client_credentials does not work on common or consumers", [9001023]],
  ["Choose the provider of the account's national cloud", [900382, 90038, 1000104]],
  ["Register the redirect address with the app", [50011]],
  ["Unlock the user, or wait until the lock ends, then authorize the account again", [50053]],
  ["Change the user's expired password, then authorize the account again", [50055]],
  ["Enable the user, then authorize the account again", [50057]],
  ["Check email and tenant: the user does not exist there", [50034]],
  ["Authorize the account again, with multi-factor sign-in", [50072, 50074, 50076, 50078, 50079]],
  ["Let an administrator exempt the account or this host from Conditional Access, then authorize it again", [
    50131,
    53000,
    53001,
    53002,
    53003,
    53004,
    530032,
    530034,
    530035,
  ]],
  ["Authorize the account again: its session or token was revoked", [50132, 50133, 50173]],
  ["Authorize the account again: its refresh token is no longer valid", [
    70000,
    70008,
    700082,
    70043,
    700084,
  ]],
  ["Start the authorization again: the code was used or has expired", [54005, 70019, 501481]],
  ["Assign the user to the app, then authorize the account again", [50105]],
];

const remedyByCode = new Map(
  remedies.flatMap(([remedy, codes]) => codes.map((code) => [code, remedy] as const)),
);

/** Tells whether a failure with these AADSTS numbers passes by itself, whatever its `error`. */
export function isTransientEntraFailure(errorCodes: readonly number[]): boolean {
  return errorCodes.some((code) => transientCodes.has(code));
}

/** Tells whether these AADSTS numbers ask to send fewer requests. */
export function isEntraThrottling(errorCodes: readonly number[]): boolean {
  return errorCodes.some((code) => throttlingCodes.has(code));
}

/** What an operator does about the first of these AADSTS numbers that is known. */
export function entraRemedy(errorCodes: readonly number[]): string | undefined {
  return errorCodes.map((code) => remedyByCode.get(code)).find((remedy) => remedy !== undefined);
}
