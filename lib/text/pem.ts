/** PEM certificates (RFC 7468) in a text. */

import { X509Certificate } from "node:crypto";

/** Deno ends without a word when a connection is made with one that is none. */
export function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem.replaceAll("TRUSTED CERTIFICATE", "CERTIFICATE"));
    return true;
  } catch {
    return false;
  }
}

/** The PEM certificates in a text. */
export function splitCertificates(text: string): readonly string[] {
  return text.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END [A-Z ]+-----/g) ?? [];
}
