/** The authorities that HTTPS connections trust. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as tls from "node:tls";
import { DenrootError, messageOf } from "../errors.ts";
import { isCertificate, splitCertificates } from "../text/pem.ts";
import { quoteText } from "../text/quote_text.ts";

/**
 * The system's certificates and those of SSL_CERT_FILE and SSL_CERT_DIR; undefined where there are
 * none at all and the runtime's own list has to do. Throws code `settings` when the file cannot be
 * read, has no certificate, or a damaged one. Damaged certificates of the directory are left out.
 * The system's are not checked: there are many, and other programs use them too.
 */
export async function trustedCertificates(
  settings: { readonly certFile?: string | undefined; readonly certDir?: string | undefined },
): Promise<readonly string[] | undefined> {
  const fromFile = settings.certFile ? await readBundle(settings.certFile) : [];
  const fromDirectory = settings.certDir ? await readDirectories(settings.certDir) : [];
  const named = [...fromFile, ...fromDirectory];
  // OpenSSL too reads its default directory when only the file is set.
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

/** A colon separates directories. One that does not exist is ignored, as in OpenSSL. */
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
