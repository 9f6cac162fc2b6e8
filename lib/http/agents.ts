/** How each host is reached: kept connections, the proxy, the certificates. */

import * as http from "node:http";
import * as https from "node:https";
import type { Settings } from "../config/settings.ts";
import type { OnProgress } from "../types/progress.ts";
import { HostCertificates } from "./host_certificates.ts";
import { chooseProxy } from "./proxy.ts";

export interface Route {
  readonly agent: http.Agent;
  readonly proxy?: URL;
}

/** One agent that keeps connections for each origin, proxy and kind of trust. */
export class AgentPool {
  readonly #settings: Settings;
  readonly #routes = new Map<string, Route>();
  readonly #certificates: HostCertificates;

  constructor(settings: Settings, onProgress: OnProgress | undefined) {
    this.#settings = settings;
    this.#certificates = new HostCertificates(settings, onProgress);
  }

  /** Throws code `settings` for a proxy or for certificates that cannot be used. */
  async routeFor(url: URL, isUnverified: boolean): Promise<Route> {
    const proxy = chooseProxy(url, this.#settings.proxy);
    const key = `${url.origin} ${proxy?.href ?? "direct"} ${isUnverified}`;
    const known = this.#routes.get(key);
    if (known !== undefined) return known;
    const isSecure = url.protocol === "https:";
    const certificates = isSecure ? await this.#certificates.of(url) : {};
    // Always given: the runtime itself reads the proxy variables, and understands no CIDRs in them.
    const proxyEnv = proxy === undefined ? {} : { http_proxy: proxy.href, https_proxy: proxy.href };
    const options = {
      keepAlive: true,
      proxyEnv,
      ...certificates,
      // Always given: NODE_TLS_REJECT_UNAUTHORIZED must not decide.
      rejectUnauthorized: !isUnverified,
    };
    const agent = isSecure ? new https.Agent(options) : new http.Agent(options);
    // Another request may have made the route while the certificates were read.
    const route = this.#routes.get(key) ?? { agent, ...(proxy && { proxy }) };
    this.#routes.set(key, route);
    return route;
  }

  close(): void {
    for (const { agent } of this.#routes.values()) agent.destroy();
    this.#routes.clear();
  }
}
