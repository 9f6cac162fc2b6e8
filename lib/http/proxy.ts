/** The proxy for a URL. The variables mean what they mean to curl. */

import { BlockList, isIP } from "node:net";
import { DenrootError } from "../errors.ts";

interface ProxySettings {
  readonly http?: string | undefined;
  readonly https?: string | undefined;
  readonly all?: string | undefined;
  /** Comma-separated host suffixes, addresses and CIDRs, each with an optional port; or `*`. */
  readonly no: string;
}

/** The proxy for `url`; undefined for a direct connection. Throws code `settings`. */
export function chooseProxy(url: URL, settings: ProxySettings): URL | undefined {
  const own = url.protocol === "https:" ? "https" : "http";
  const kind = settings[own] ? own : "all";
  const text = settings[kind];
  if (!text || isExempt(url, settings.no)) return undefined;
  return parseProxy(text, `${kind}_proxy`);
}

/** The text may contain a password: no error shows it. */
function parseProxy(text: string, variable: string): URL {
  const name = `${variable} (or ${variable.toUpperCase()})`;
  const socks = /^(socks\w*):\/\//i.exec(text)?.[1];
  if (socks !== undefined) {
    throw new DenrootError("settings", `${name} names a proxy of the kind ${socks}, not HTTP`, {
      hint:
        "denroot uses http:// and https:// proxies; unset the variable, name such a proxy, or " +
        "list the hosts that need none in no_proxy",
    });
  }
  // "proxy:3128" would parse as the scheme "proxy".
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null || url.hostname === "" || !/^https?:$/.test(url.protocol)) {
    throw new DenrootError("settings", `${name} is not an http:// or https:// URL`, {
      hint: "Correct it or unset it; denroot info shows where it is set",
    });
  }
  return url;
}

function isExempt(url: URL, no: string): boolean {
  const host = bareHost(url.hostname);
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return no.split(/[\s,]+/).some((entry) => entry !== "" && matches(entry, host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === "*") return true;
  const network = /^\[?([0-9a-f.:]+)\]?\/(\d{1,3})$/i.exec(entry);
  if (network !== null) return isInNetwork(host, network[1]!, Number(network[2]));
  const { name, port: entryPort } = splitPort(entry);
  if (entryPort !== undefined && entryPort !== port) return false;
  // Suffixes are for names only: the address 1.10.0.0.1 is not inside 10.0.0.1.
  if (isIP(host) !== 0) return isIP(name) !== 0 && isInNetwork(host, name, 128);
  const suffix = name.replace(/^\*?\./, "").replace(/\.$/, "").toLowerCase();
  return suffix !== "" && (host === suffix || host.endsWith(`.${suffix}`));
}

function splitPort(entry: string): { name: string; port?: string } {
  if (isIP(entry) !== 0) return { name: entry };
  const match = /^(.*?):(\d+)$/.exec(entry);
  return match === null
    ? { name: bareHost(entry) }
    : { name: bareHost(match[1]!), port: match[2]! };
}

function isInNetwork(host: string, address: string, prefix: number): boolean {
  const family = isIP(address);
  if (family === 0 || isIP(host) !== family) return false;
  const name = family === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  try {
    list.addSubnet(address, family === 4 ? Math.min(prefix, 32) : prefix, name);
  } catch {
    return false;
  }
  return list.check(host, name);
}

/** `[::1]` -> `::1`, `host.` -> `host`. */
function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "").toLowerCase();
}
