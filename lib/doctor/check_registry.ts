/** Whether a registry can be reached from this machine, and what it asks for. */

import dns from "node:dns/promises";
import { isIP } from "node:net";
import type { ImageLocation } from "../containers_conf/image_locations.ts";
import type { Settings } from "../config/settings.ts";
import { DenrootError, messageOf, systemCode, throwIfAborted } from "../errors.ts";
import { plainText } from "../text/quote_text.ts";
import { redact } from "../text/redact.ts";
import { parseChallenges } from "../transport/registry/auth/challenge.ts";
import { chooseProxy } from "../http/proxy.ts";
import { createHttpClient, type HttpResponse } from "../http/client.ts";
import { BaseUrls } from "../transport/registry/base_urls.ts";
import { DEFAULT_LIMITS } from "../transport/registry/limits.ts";
import { FETCHING, type Finding, Findings } from "./finding.ts";
import type { Machine } from "./machine.ts";

const MAX_SKEW_S = 120;

/** Asks the registry as an import would, but without credentials. */
export async function checkRegistry(
  { registry, insecure }: Pick<ImageLocation, "registry" | "insecure">,
  settings: Settings,
  machine: Pick<Machine, "nowMs">,
  signal: AbortSignal,
): Promise<Finding[]> {
  const found = new Findings(`Registry ${registry}`);
  const bases = new BaseUrls({ registry, insecure }, settings.allowHttp);
  const proxy = chooseProxy(bases.current, settings.proxy);
  if (proxy !== undefined) {
    found.add("note", "Name", FETCHING, `the proxy ${plainText(proxy.host)} looks it up`);
  } else if (!await checkName(found, bases.current.hostname)) {
    return found.list;
  }
  const http = createHttpClient(settings, DEFAULT_LIMITS, (event) => {
    if (event.type === "log") found.add("warning", "Certificates", FETCHING, event.message);
  });
  try {
    const response = await bases.ask((base) => {
      const url = new URL("/v2/", base);
      return http.send({ method: "GET", url, headers: {}, isUnverified: insecure, signal });
    }, DEFAULT_LIMITS.errorBytes);
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
    const code = systemCode(error);
    found.add(
      "error",
      "Name",
      FETCHING,
      NAME_FAILURES[code] ?? `it cannot be looked up (${code})`,
      "Check the spelling and /etc/resolv.conf; if only a proxy can look up names, set https_proxy",
    );
    return false;
  }
}

const NAME_FAILURES: Readonly<Record<string, string>> = {
  ENOTFOUND: "the name server does not know it",
  EAI_AGAIN: "it cannot be looked up: the name server did not answer",
};

function connectionText(
  { url }: HttpResponse,
  proxy: URL | undefined,
  insecure: boolean,
): string {
  const way = proxy === undefined ? "" : ` through the proxy ${plainText(proxy.host)}`;
  const trust = insecure ? "any certificate is accepted" : "the certificate is trusted";
  return url.protocol === "https:"
    ? `HTTPS${way}, ${trust}`
    : `plain HTTP${way}: everyone on the way can read and change the images`;
}

function checkAnswer(found: Findings, response: HttpResponse): void {
  const { status } = response;
  if (status === 200) return found.ok("Login", FETCHING, "it is not needed to ask the registry");
  if (status === 401) {
    const schemes = parseChallenges(response.headers("www-authenticate"));
    const token = schemes.find(({ scheme }) => scheme === "bearer")?.parameters.get("realm");
    const how = token === undefined
      ? "by user and password"
      : `by tokens from ${plainText(URL.parse(token)?.host ?? redact(token), 100)}`;
    return found.ok("Login", FETCHING, `${how}; public images may need no account`);
  }
  const [status_, remedy] = ANSWERS[status] ?? (status >= 500 ? BROKEN : STRANGE);
  found.add(status_, "Answer", FETCHING, `HTTP status ${status} for /v2/`, remedy);
}

type Meaning = readonly [status: "note" | "warning" | "error", remedy: string];

const STRANGE: Meaning = ["warning", "Check the name and the port: this may be no registry"];
const BROKEN: Meaning = ["warning", "The registry itself has a problem: try again later"];

const ANSWERS: Readonly<Record<number, Meaning>> = {
  403: ["warning", "The registry or a proxy refuses this machine: ask its administrators"],
  404: ["warning", "Check the name and the port: this may be no registry"],
  429: ["warning", "The registry got too many requests from this address: log in, or wait"],
};

function checkDate(found: Findings, response: HttpResponse, nowMs: number): void {
  const theirs = Date.parse(response.header("date") ?? "");
  if (Number.isNaN(theirs)) return;
  const skew = Math.round((nowMs - theirs) / 1000);
  if (Math.abs(skew) <= MAX_SKEW_S) {
    return found.ok("Clock", FETCHING, "this machine and the registry agree");
  }
  found.add(
    "warning",
    "Clock",
    FETCHING,
    `this machine's clock is ${Math.abs(skew)} seconds ${
      skew > 0 ? "ahead of" : "behind"
    } the registry's`,
    "Set the clock: a wrong one makes tokens and certificates invalid",
  );
}
