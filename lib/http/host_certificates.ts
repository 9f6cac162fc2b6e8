/** What a host's TLS connections are made with: the authorities for all, and the host's own files. */

import * as tls from "node:tls";
import type { Settings } from "../config/settings.ts";
import type { OnProgress } from "../types/progress.ts";
import { readCertsDirectory } from "../containers_conf/certs_directory.ts";
import { trustedCertificates } from "./trusted_certificates.ts";

/** Options of `https.Agent`; PEM. */
export interface HostCertificateOptions {
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
}

export class HostCertificates {
  readonly #settings: Settings;
  readonly #onProgress: OnProgress | undefined;
  readonly #told = new Set<string>();
  #common: Promise<readonly string[] | undefined> | undefined;

  constructor(settings: Settings, onProgress?: OnProgress) {
    this.#settings = settings;
    this.#onProgress = onProgress;
  }

  /** Throws code `settings` for files that cannot be used. */
  async of(url: URL): Promise<HostCertificateOptions> {
    const common = await (this.#common ??= trustedCertificates(this.#settings.tls));
    const own = await readCertsDirectory(url, this.#settings.environment, (message) => {
      // Once: many connections may be made at the same time.
      if (this.#told.has(message)) return;
      this.#told.add(message);
      this.#onProgress?.({ type: "log", level: "warn", message });
    });
    if (own === undefined) return common === undefined ? {} : { ca: [...common] };
    // Beside the others, not instead: as in containers/image.
    return { ca: [...common ?? tls.rootCertificates, ...own.authorities], ...own.client };
  }
}
