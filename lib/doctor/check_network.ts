/** What every registry is reached with: proxies, authorities, registries.conf, credentials. */

import { readFile, stat } from "node:fs/promises";
import { loadRegistriesConf } from "../containers_conf/registries_conf.ts";
import type { Settings } from "../config/settings.ts";
import { DenrootError, messageOf } from "../errors.ts";
import { parseAuthFile } from "../containers_conf/auth_file.ts";
import { credentialsFiles } from "../transport/registry/credentials/find_credentials.ts";
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

/** The entries show no password; the settings themselves hold them. */
function checkProxies(found: Findings, settings: Settings): void {
  const set = settings.entries.filter(({ name, value }) => /_proxy$/i.test(name) && value !== "");
  try {
    for (const scheme of ["https", "http"]) {
      // A name that no exemption is for.
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
  const named = [
    tls.certFile === undefined ? "" : ` and SSL_CERT_FILE (${tls.certFile})`,
    tls.certDir === undefined ? "" : ` and SSL_CERT_DIR (${tls.certDir})`,
  ].join("");
  const subject = "Certificates";
  try {
    await requireDirectory(found, subject, tls.certDir);
    const certificates = await trustedCertificates(tls);
    if (certificates === undefined) {
      found.ok(subject, FETCHING, "those inside denroot: the system has none");
      return;
    }
    const damaged = certificates.filter((text) => !isCertificate(text)).length;
    found.add(
      damaged === 0 ? "ok" : "warning",
      subject,
      FETCHING,
      `${new Set(certificates).size} authorities, of the system${named}` +
        (damaged === 0 ? "" : `; ${damaged} cannot be read`),
      damaged === 0 ? undefined : "Write these files anew: HTTPS may fail with them",
    );
  } catch (error) {
    const remedy = hintOf(error) ?? "Correct or unset SSL_CERT_FILE: nothing is fetched with it";
    found.add("error", subject, FETCHING, messageOf(error), remedy);
  }
}

/** One that is missing is passed over in silence when certificates are read. */
async function requireDirectory(
  found: Findings,
  subject: string,
  directories: string | undefined,
): Promise<void> {
  for (const path of (directories ?? "").split(":").filter((path) => path !== "")) {
    const isThere = await stat(path).then((entry) => entry.isDirectory(), () => false);
    if (isThere) continue;
    found.add("warning", subject, FETCHING, `SSL_CERT_DIR ${path} is no directory`, "Correct it");
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
      if (/^(ENOENT|ENOTDIR)$/.test(String((error as { code?: unknown }).code))) continue;
      count++;
      const remedy = "Correct it or remove it";
      found.add("error", subject, FETCHING, `${path}: ${messageOf(error)}`, remedy);
    }
  }
  if (count > 0) return;
  const remedy = `For others write their registry's into ${files[0]}`;
  found.add("note", subject, FETCHING, "none: images for everybody can be fetched", remedy);
}

/** How much there is, never what. The first of the files is a netrc. */
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
