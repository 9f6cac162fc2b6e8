/** PEM certificates (RFC 7468) in a text. */

import { X509Certificate } from "node:crypto";

/** To be asked before a connection uses `pem`: Deno exits silently on a malformed certificate. */
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
