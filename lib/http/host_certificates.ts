/** The certificates for a host's TLS connections: those for all hosts, and the host's own files. */

import type { Settings } from "../config/settings.ts";
import type { OnProgress } from "../types/progress.ts";
import { readCertsDirectory } from "../containers_conf/certs_directory.ts";
import { trustedAuthorities } from "./trusted_certificates.ts";

/** Options for `https.Agent`, in PEM. */
interface HostCertificateOptions {
  /** Never left out: the runtime's own choice depends on variables such as NODE_EXTRA_CA_CERTS. */
  readonly ca: string[];
  readonly cert?: string;
  readonly key?: string;
}

export class HostCertificates {
  readonly #settings: Settings;
  readonly #onProgress: OnProgress | undefined;
  readonly #told = new Set<string>();
  #common: Promise<readonly string[]> | undefined;

  constructor(settings: Settings, onProgress?: OnProgress) {
    this.#settings = settings;
    this.#onProgress = onProgress;
  }

  /** Throws code `settings` for files that cannot be used. */
  async of(url: URL): Promise<HostCertificateOptions> {
    const common = await (this.#common ??= trustedAuthorities(this.#settings.tls));
    const own = await readCertsDirectory(url, this.#settings.environment, (message) => {
      // Each message once: many connections may begin at the same time.
      if (this.#told.has(message)) return;
      this.#told.add(message);
      this.#onProgress?.({ type: "log", level: "warn", message });
    });
    if (own === undefined) return { ca: [...common] };
    // They are added to the others and do not replace them, as in containers/image.
    return { ca: [...common, ...own.authorities], ...own.client };
  }
}
