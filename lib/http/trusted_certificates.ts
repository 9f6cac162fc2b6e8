/** The authorities that HTTPS connections trust. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as tls from "node:tls";
import { DenrootError, messageOf } from "../errors.ts";
import { isCertificate, splitCertificates } from "../text/pem.ts";
import { quoteText } from "../text/quote_text.ts";

/** Where the user keeps further authorities. */
export interface CertificateSettings {
  /** A file that an option names. Where it is given nothing else counts. */
  readonly caFile?: string | undefined;
  /** CURL_CA_BUNDLE. Where it is set the other two do not count, as for curl. */
  readonly curlBundle?: string | undefined;
  /** SSL_CERT_FILE */
  readonly certFile?: string | undefined;
  /** SSL_CERT_DIR */
  readonly certDir?: string | undefined;
}

/**
 * The system's certificates and those of the settings; undefined where there are none at all and the
 * runtime's own list has to do. Throws code `settings` when a file cannot be read, has no
 * certificate, or a damaged one. Damaged certificates of a directory are left out. The system's are
 * not checked: there are many, and other programs use them too.
 */
export async function trustedCertificates(
  settings: CertificateSettings,
): Promise<readonly string[] | undefined> {
  // OpenSSL too reads its default directory when only the file is set.
  const certificates = [...await namedCertificates(settings), ...systemCertificates()];
  return certificates.length > 0 ? certificates : undefined;
}

/**
 * {@link trustedCertificates}, else the runtime's list. TLS connections always get them: what a
 * runtime trusts by itself depends on variables such as NODE_EXTRA_CA_CERTS.
 */
export async function trustedAuthorities(
  settings: CertificateSettings,
): Promise<readonly string[]> {
  return await trustedCertificates(settings) ?? tls.rootCertificates;
}

async function namedCertificates(
  { caFile, curlBundle, certFile, certDir }: CertificateSettings,
): Promise<readonly string[]> {
  if (caFile !== undefined) return await readBundle("The file of certificates", caFile);
  if (curlBundle) return await readBundle("CURL_CA_BUNDLE", curlBundle);
  return [
    ...certFile ? await readBundle("SSL_CERT_FILE", certFile) : [],
    ...certDir ? await readDirectories(certDir) : [],
  ];
}

function systemCertificates(): readonly string[] {
  try {
    return tls.getCACertificates("system");
  } catch {
    return [];
  }
}

async function readBundle(setting: string, path: string): Promise<readonly string[]> {
  let text: string;
  try {
    text = await readFile(path, "latin1");
  } catch (cause) {
    throw new DenrootError(
      "settings",
      `${setting} ${quoteText(path)} cannot be read: ${messageOf(cause)}`,
      { cause },
    );
  }
  const certificates = splitCertificates(text);
  if (certificates.length > 0 && certificates.every(isCertificate)) return certificates;
  const what = certificates.length === 0 ? "no certificate" : "a damaged certificate";
  throw new DenrootError("settings", `${setting} ${quoteText(path)} holds ${what}`);
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
