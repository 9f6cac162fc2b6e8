/** The authorities that HTTPS connections trust. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as tls from "node:tls";
import { DenrootError, messageOf } from "../errors.ts";
import { isCertificate, splitCertificates } from "../text/pem.ts";
import { quoteText } from "../text/quote_text.ts";

/**
 * The system's certificates, with those of SSL_CERT_FILE and SSL_CERT_DIR beside them; undefined
 * where the system has none and the runtime's own list is to be used. Throws code `settings` for a
 * file that cannot be read, holds no certificate or a damaged one; a directory's damaged ones are
 * left out. Those of the system are not looked at: they are many, and others use them too.
 */
export async function trustedCertificates(
  settings: { readonly certFile?: string; readonly certDir?: string },
): Promise<readonly string[] | undefined> {
  const fromFile = settings.certFile ? await readBundle(settings.certFile) : [];
  const fromDirectory = settings.certDir ? await readDirectories(settings.certDir) : [];
  const named = [...fromFile, ...fromDirectory];
  // Beside, not instead: OpenSSL reads its default directory too when only the file is named.
  const certificates = [...named, ...systemCertificates()];
  return certificates.length > 0 ? certificates : undefined;
}

function systemCertificates(): readonly string[] {
  try {
    return tls.getCACertificates("system");
  } catch {
    return [];
  }
}

async function readBundle(path: string): Promise<readonly string[]> {
  let text: string;
  try {
    text = await readFile(path, "latin1");
  } catch (cause) {
    throw new DenrootError(
      "settings",
      `SSL_CERT_FILE ${quoteText(path)} cannot be read: ${messageOf(cause)}`,
      { cause },
    );
  }
  const certificates = splitCertificates(text);
  if (certificates.length > 0 && certificates.every(isCertificate)) return certificates;
  const what = certificates.length === 0 ? "no certificate" : "a damaged certificate";
  throw new DenrootError("settings", `SSL_CERT_FILE ${quoteText(path)} holds ${what}`);
}

/** A colon separates several; a directory that is not there is none, as in OpenSSL. */
async function readDirectories(paths: string): Promise<readonly string[]> {
  const certificates: string[] = [];
  for (const path of paths.split(":").filter((path) => path !== "")) {
    const names = await readdir(path).catch(() => []);
    for (const name of names.sort()) {
      const text = await readFile(join(path, name), "latin1").catch(() => "");
      certificates.push(...splitCertificates(text));
    }
  }
  return [...new Set(certificates)].filter(isCertificate);
}
