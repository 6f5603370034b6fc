/** The password that SMTP clients sign in with: made here, shown once, kept as a hash. */

import { randomInt } from "node:crypto";
import type { FC } from "hono/jsx";
import { Copyable, Notice } from "./layout.tsx";

/** Without letters that look alike, since people type it into printers. */
const alphabet = "abcdefghijkmnpqrstuvwxyz23456789";
const groups = 5;
const charactersPerGroup = 5;

/** A random password of 125 bits, in groups that are easy to type. */
export function newPassword(): string {
  const group = () =>
    Array.from({ length: charactersPerGroup }, () => alphabet[randomInt(alphabet.length)]).join("");
  return Array.from({ length: groups }, group).join("-");
}

/** Shows a password for the only time. */
export const PasswordShown: FC<{ username: string; password: string }> = ({ username, password }) => (
  <Notice kind="plain" title="Password for SMTP clients">
    <p>It is shown this once; the proxy keeps only a hash of it.</p>
    <dl class="facts">
      <dt>User name</dt>
      <dd>
        <Copyable text={username} label="user name" />
      </dd>
      <dt>Password</dt>
      <dd id="password">
        <Copyable text={password} label="password" />
      </dd>
    </dl>
  </Notice>
);
