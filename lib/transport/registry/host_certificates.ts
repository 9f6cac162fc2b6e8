/** What a host's TLS connections are made with: the authorities for all, and the host's own files. */

import * as tls from "node:tls";
import type { Settings } from "../../config/settings.ts";
import { readCertsDirectory } from "./certs_directory.ts";
import { trustedCertificates } from "./trusted_certificates.ts";

/** Options of `https.Agent`; PEM. */
export interface HostCertificateOptions {
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
}

export class HostCertificates {
  readonly #settings: Settings;
  #common: Promise<readonly string[] | undefined> | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Throws code `settings` for files that cannot be used. */
  async of(url: URL): Promise<HostCertificateOptions> {
    const common = await (this.#common ??= trustedCertificates(this.#settings.tls));
    const own = await readCertsDirectory(url, this.#settings.environment);
    if (own === undefined) return common === undefined ? {} : { ca: [...common] };
    // Beside the others, not instead: as in containers/image.
    return { ca: [...common ?? tls.rootCertificates, ...own.authorities], ...own.client };
  }
}
