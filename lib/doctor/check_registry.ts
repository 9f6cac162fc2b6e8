/** Whether a registry can be reached from here, and what it wants. */

import dns from "node:dns/promises";
import { isIP } from "node:net";
import type { Endpoint } from "../containers_conf/registry_endpoints.ts";
import type { Settings } from "../config/settings.ts";
import { DenrootError, messageOf, throwIfAborted } from "../errors.ts";
import { plainText } from "../text/quote_text.ts";
import { parseChallenges } from "../transport/registry/auth/challenge.ts";
import { chooseProxy } from "../http/proxy.ts";
import { createHttpClient, type HttpClient, type HttpResponse } from "../http/client.ts";
import { DEFAULT_LIMITS } from "../transport/registry/limits.ts";
import { FETCHING, type Finding, Findings } from "./finding.ts";
import type { Machine } from "./machine.ts";

const MAX_SKEW_S = 120;

/** Asks it as an import would, but as nobody. */
export async function checkRegistry(
  { registry, insecure }: Pick<Endpoint, "registry" | "insecure">,
  settings: Settings,
  machine: Pick<Machine, "nowMs">,
  signal: AbortSignal,
): Promise<Finding[]> {
  const found = new Findings(`Registry ${registry}`);
  const schemes = insecure ? ["https", "http"] : settings.allowHttp ? ["http", "https"] : ["https"];
  const urls = schemes.map((scheme) => new URL(`${scheme}://${registry}/v2/`));
  const proxy = chooseProxy(urls[0]!, settings.proxy);
  if (proxy !== undefined) {
    found.add("note", "Name", FETCHING, `is looked up by the proxy ${plainText(proxy.host)}`);
  } else if (!await checkName(found, urls[0]!.hostname)) {
    return found.list;
  }
  const http = createHttpClient(settings, DEFAULT_LIMITS, (event) => {
    if (event.type === "log") found.add("warning", "Certificates", FETCHING, event.message);
  });
  try {
    const response = await ask(http, urls, insecure, signal);
    found.ok("Connection", FETCHING, connectionText(response, proxy, insecure));
    checkAnswer(found, response);
    checkDate(found, response, machine.nowMs());
    response.body.destroy();
  } catch (error) {
    throwIfAborted(signal);
    const remedy = error instanceof DenrootError ? error.hint : undefined;
    found.add("error", "Connection", FETCHING, messageOf(error), remedy);
  } finally {
    http.close();
  }
  return found.list;
}

async function checkName(found: Findings, hostname: string): Promise<boolean> {
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  if (isIP(host) !== 0) return true;
  try {
    const addresses = await dns.lookup(host, { all: true });
    const shown = addresses.slice(0, 3).map(({ address }) => address);
    const more = addresses.length - shown.length;
    found.ok("Name", FETCHING, `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`);
    return true;
  } catch (error) {
    const code = String((error as { code?: unknown }).code);
    found.add(
      "error",
      "Name",
      FETCHING,
      NAME_FAILURES[code] ?? `cannot be looked up (${code})`,
      "Check its spelling and /etc/resolv.conf; where only a proxy knows names, set https_proxy",
    );
    return false;
  }
}

const NAME_FAILURES: Readonly<Record<string, string>> = {
  ENOTFOUND: "is not known to the name server",
  EAI_AGAIN: "cannot be looked up: the name server did not answer",
};

/** As an import does: where plain HTTP is allowed it is tried first, at an insecure registry last. */
async function ask(
  http: HttpClient,
  urls: readonly URL[],
  isUnverified: boolean,
  signal: AbortSignal,
): Promise<HttpResponse> {
  let failure: unknown;
  for (const url of urls) {
    try {
      const response = await http.send({ method: "GET", url, headers: {}, isUnverified, signal });
      const mayBeTls = url.protocol === "http:" && response.status === 400;
      if (!mayBeTls) return response;
      response.body.destroy();
    } catch (error) {
      throwIfAborted(signal);
      failure ??= error;
    }
  }
  throw failure;
}

function connectionText(
  { url }: HttpResponse,
  proxy: URL | undefined,
  insecure: boolean,
): string {
  const way = proxy === undefined ? "" : ` through the proxy ${plainText(proxy.host)}`;
  const trust = insecure ? "any certificate will do" : "the certificate is trusted";
  return url.protocol === "https:"
    ? `HTTPS${way}, ${trust}`
    : `plain HTTP${way}: everyone on the way can read and change it`;
}

function checkAnswer(found: Findings, response: HttpResponse): void {
  const { status } = response;
  if (status === 200) return found.ok("Login", FETCHING, "not needed to ask it");
  if (status === 401) {
    const schemes = parseChallenges(response.headers("www-authenticate"));
    const token = schemes.find(({ scheme }) => scheme === "bearer")?.parameters.get("realm");
    const how = token === undefined
      ? "by user and password"
      : `by tokens of ${plainText(URL.parse(token)?.host ?? token, 100)}`;
    return found.ok("Login", FETCHING, `${how}; images for everybody may need no account`);
  }
  const [status_, remedy] = ANSWERS[status] ?? (status >= 500 ? BROKEN : STRANGE);
  found.add(status_, "Answer", FETCHING, `HTTP status ${status} for /v2/`, remedy);
}

type Meaning = readonly [status: "note" | "warning" | "error", remedy: string];

const STRANGE: Meaning = ["warning", "Is it a registry? Check the name and the port"];
const BROKEN: Meaning = ["warning", "The registry has trouble of its own: try again later"];

const ANSWERS: Readonly<Record<number, Meaning>> = {
  403: ["warning", "It or a proxy refuses this machine: ask who runs it"],
  404: ["warning", "Is it a registry? Check the name and the port"],
  429: ["warning", "It has had too many requests from this address: log in, or wait"],
};

function checkDate(found: Findings, response: HttpResponse, nowMs: number): void {
  const theirs = Date.parse(response.header("date") ?? "");
  if (Number.isNaN(theirs)) return;
  const skew = Math.round((nowMs - theirs) / 1000);
  if (Math.abs(skew) <= MAX_SKEW_S) {
    return found.ok("Clock", FETCHING, "agrees with this machine's");
  }
  found.add(
    "warning",
    "Clock",
    FETCHING,
    `this machine's is ${Math.abs(skew)} seconds ${
      skew > 0 ? "ahead of" : "behind"
    } the registry's`,
    "Set the clock: tokens and certificates are refused when it is wrong",
  );
}
