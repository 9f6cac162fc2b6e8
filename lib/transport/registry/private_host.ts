/** Whether a host is on this machine or in a private network. */

import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";

/**
 * Whether `hostname`, as a `URL` has it, is or leads to an address that only this machine or its
 * network reaches. A name that this machine cannot resolve is not: a proxy may reach it.
 */
export async function isPrivateHost(hostname: string): Promise<boolean> {
  const host = hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0) return isPrivateAddress(host);
  if (/^(?:.+\.)?localhost\.?$/.test(host)) return true;
  try {
    const addresses = await lookup(host, { all: true });
    return addresses.some(({ address }) => isPrivateAddress(address));
  } catch {
    return false;
  }
}

function isPrivateAddress(address: string): boolean {
  return PRIVATE.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

/** The loopback, "this host", and the private, shared, link-local and unique local networks. */
const PRIVATE = new BlockList();
for (
  const [network, prefix] of [
    ["0.0.0.0", 8],
    ["10.0.0.0", 8],
    ["100.64.0.0", 10],
    ["127.0.0.0", 8],
    ["169.254.0.0", 16],
    ["172.16.0.0", 12],
    ["192.168.0.0", 16],
  ] as const
) {
  PRIVATE.addSubnet(network, prefix, "ipv4");
  // The same address written as IPv6 (RFC 4291, section 2.5.5.2).
  PRIVATE.addSubnet(`::ffff:${network}`, 96 + prefix, "ipv6");
}
PRIVATE.addAddress("::", "ipv6");
PRIVATE.addAddress("::1", "ipv6");
PRIVATE.addSubnet("fc00::", 7, "ipv6");
PRIVATE.addSubnet("fe80::", 10, "ipv6");
