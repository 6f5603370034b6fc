/** What a client is counted by: the addresses that one machine, or one customer of a network, has at will count as one. */

import { isLoopbackAddress } from "./loopback_address.ts";

/**
 * An IPv6 network of 64 bits is the least that a site gets (RFC 6177 §2), and all addresses of this machine's own are its local
 * programs' to choose from.
 *
 * @param address IPv4, or IPv6 in the compressed form of RFC 5952; IPv4-mapped ones in their IPv4 form.
 * @returns The address itself for IPv4, `2001:db8:0:1::/64` for IPv6, `loopback` for this machine's own.
 */
export function clientKey(address: string): string {
  if (isLoopbackAddress(address)) return "loopback";
  if (!address.includes(":")) return address;
  const [front = "", back] = address.split("%")[0]!.toLowerCase().split("::");
  const groups = front === "" ? [] : front.split(":");
  if (back !== undefined) {
    const behind = back === "" ? 0 : back.split(":").length;
    while (groups.length + behind < 8) groups.push("0");
    groups.push(...back.split(":"));
  }
  return `${groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, "")).join(":")}::/64`;
}
