/** What denroot uses for every registry: proxies, certificates, registries.conf, credentials. */

import { readFile, stat } from "node:fs/promises";
import { loadRegistriesConf } from "../containers_conf/registries_conf.ts";
import type { Settings } from "../config/settings.ts";
import { DenrootError, isMissing, messageOf } from "../errors.ts";
import { parseAuthFile } from "../containers_conf/auth_file.ts";
import { credentialsFiles } from "../transport/registry/credentials/credentials_files.ts";
import { parseNetrc } from "../transport/registry/credentials/netrc.ts";
import { chooseProxy } from "../http/proxy.ts";
import { trustedCertificates } from "../http/trusted_certificates.ts";
import { isCertificate } from "../text/pem.ts";
import { FETCHING, type Finding, Findings } from "./finding.ts";

export async function checkNetwork(settings: Settings): Promise<Finding[]> {
  const found = new Findings("Network");
  checkProxies(found, settings);
  await checkCertificates(found, settings);
  await checkConfiguration(found, settings);
  await checkCredentials(found, settings);
  return found.list;
}

/** Shows the settings' entries: the settings themselves hold passwords, the entries do not. */
function checkProxies(found: Findings, settings: Settings): void {
  const set = settings.entries.filter(({ name, value }) => /_proxy$/i.test(name) && value !== "");
  try {
    for (const scheme of ["https", "http"]) {
      // No exemption is for this name.
      chooseProxy(new URL(`${scheme}://registry.invalid/`), { ...settings.proxy, no: "" });
    }
  } catch (error) {
    found.add("error", "Proxy", FETCHING, messageOf(error), hintOf(error));
  }
  if (set.length === 0) found.ok("Proxy", FETCHING, "none is set");
  for (const { name, value, origin } of set) {
    found.add("note", "Proxy", FETCHING, `${name} = ${value} (${origin})`);
  }
}

async function checkCertificates(found: Findings, { tls }: Settings): Promise<void> {
  const { curlBundle, certFile, certDir } = tls;
  const named = [
    ["CURL_CA_BUNDLE", curlBundle],
    ["SSL_CERT_FILE", curlBundle ? undefined : certFile],
    ["SSL_CERT_DIR", curlBundle ? undefined : certDir],
  ].map(([name, path]) => path ? ` and ${name} (${path})` : "").join("");
  const subject = "Certificates";
  try {
    if (!curlBundle) await requireDirectory(found, subject, certDir);
    const certificates = await trustedCertificates(tls);
    if (certificates === undefined) {
      found.ok(subject, FETCHING, "denroot's own authorities: the system has none");
      return;
    }
    const damaged = certificates.filter((text) => !isCertificate(text)).length;
    found.add(
      damaged === 0 ? "ok" : "warning",
      subject,
      FETCHING,
      `${new Set(certificates).size} authorities from the system${named}` +
        (damaged === 0 ? "" : `; ${damaged} cannot be read`),
      damaged === 0 ? undefined : "Replace the damaged files: HTTPS may fail with them",
    );
  } catch (error) {
    const remedy = hintOf(error) ??
      "Correct or unset that variable: nothing can be fetched until then";
    found.add("error", subject, FETCHING, messageOf(error), remedy);
  }
}

/** Reading the certificates ignores a missing directory: the user should know. */
async function requireDirectory(
  found: Findings,
  subject: string,
  directories: string | undefined,
): Promise<void> {
  for (const path of (directories ?? "").split(":").filter((path) => path !== "")) {
    const isThere = await stat(path).then((entry) => entry.isDirectory(), () => false);
    if (isThere) continue;
    found.add(
      "warning",
      subject,
      FETCHING,
      `SSL_CERT_DIR ${path} is not a directory`,
      "Correct it",
    );
  }
}

async function checkConfiguration(found: Findings, { environment }: Settings): Promise<void> {
  const subject = "registries.conf";
  try {
    const { rules } = await loadRegistriesConf(environment);
    found.ok(subject, FETCHING, `${plural(rules.length, "registry", "registries")} configured`);
  } catch (error) {
    found.add("error", subject, FETCHING, messageOf(error), hintOf(error));
  }
}

async function checkCredentials(found: Findings, settings: Settings): Promise<void> {
  const subject = "Credentials";
  const files = credentialsFiles(settings);
  let count = 0;
  for (const [index, path] of files.entries()) {
    try {
      const text = await readFile(path, "utf8");
      count++;
      const isPrivate = ((await stat(path)).mode & 0o044) === 0;
      const content = describe(text, path, index === 0);
      found.add(
        isPrivate ? "ok" : "warning",
        subject,
        FETCHING,
        `${path}: ${content}${isPrivate ? "" : "; other users can read it"}`,
        isPrivate ? undefined : `Run: chmod 600 ${path}`,
      );
    } catch (error) {
      if (isMissing(error)) continue;
      count++;
      const remedy = "Correct it or remove it";
      found.add("error", subject, FETCHING, `${path}: ${messageOf(error)}`, remedy);
    }
  }
  if (count > 0) return;
  const remedy = `Private images need an entry for their registry in ${files[0]}`;
  found.add("note", subject, FETCHING, "none: only public images can be fetched", remedy);
}

/** Tells how much a file has, never what. The first of the files is a netrc. */
function describe(text: string, path: string, isNetrc: boolean): string {
  if (isNetrc) return plural(parseNetrc(text).length, "entry", "entries");
  const { auths, credHelpers, credsStore } = parseAuthFile(text, path);
  const helpers = credHelpers.size + (credsStore === undefined ? 0 : 1);
  const entries = plural(auths.size, "entry", "entries");
  return helpers === 0 ? entries : `${entries}, ${plural(helpers, "helper", "helpers")}`;
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

function hintOf(error: unknown): string | undefined {
  return error instanceof DenrootError ? error.hint : undefined;
}
