import assert from "node:assert/strict";
import { describeTlsFault } from "../../../src/upstream/tls_fault.ts";

const FAULTS: readonly [message: string, remedy: RegExp | undefined][] = [
  ["invalid peer certificate: UnknownIssuer", /smtp\.example is not signed .* ca_file/],
  [
    'invalid peer certificate: certificate not valid for name "smtp.example"',
    /another host than smtp\.example/,
  ],
  ["invalid peer certificate: certificate expired: verification time 1 (UNIX)", /expired; check the clock/],
  [
    "invalid peer certificate: certificate not valid yet: verification time 1",
    /not valid yet; check the clock/,
  ],
  ["received corrupt message of type InvalidContentType", /smtp_security to "starttls"/],
  ["received fatal alert: ProtocolVersion", /TLS 1\.2 is the least/],
  ["Connection reset by peer (os error 104)", undefined],
];
for (const [message, remedy] of FAULTS) {
  Deno.test(`describeTlsFault knows what to do about "${message.slice(0, 60)}"`, () => {
    const described = describeTlsFault(message, "smtp.example");
    if (remedy === undefined) assert.equal(described, undefined);
    else assert.match(described ?? "", remedy);
  });
}
