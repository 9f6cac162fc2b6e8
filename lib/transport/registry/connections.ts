/** The connections and credentials of one side, which many repositories may share. */

import type { ImageLocation } from "../../containers_conf/image_locations.ts";
import { loadRegistriesConf, type RegistriesConf } from "../../containers_conf/registries_conf.ts";
import { createHttpClient, type HttpClient } from "../../http/client.ts";
import type { RegistryName } from "../../reference/registry_name.ts";
import type { SourceContext } from "../source_context.ts";
import type { CredentialsFinder } from "./credentials/credentials.ts";
import { StoredCredentials } from "./credentials/stored_credentials.ts";
import { DEFAULT_LIMITS, type RegistryLimits } from "./limits.ts";
import { RegistryClient } from "./registry_client.ts";

export interface RegistryConnections {
  readonly conf: RegistriesConf;
  /** Bounds the number of requests at once, for all repositories together. */
  readonly http: HttpClient;
  /** A password is asked for once. */
  readonly credentials: CredentialsFinder;
  /** Whether registries that a reference names, and not their mirrors, may show any certificate. */
  readonly acceptsAnyCertificate: boolean;
  /** Ends the connections. */
  close(): void;
}

type Context = Pick<SourceContext, "settings" | "access" | "onProgress" | "connections">;

/** Throws code `settings` when `registries.conf` cannot be used. */
export async function openConnections(
  { settings, access, onProgress }: Context,
  limits: RegistryLimits = DEFAULT_LIMITS,
): Promise<RegistryConnections> {
  const conf = await loadRegistriesConf(settings.environment);
  const http = createHttpClient(settings, limits, onProgress);
  const helpers = conf.credentialHelpers;
  return {
    conf,
    http,
    credentials: new StoredCredentials(settings, { onProgress, helpers, ...access }),
    acceptsAnyCertificate: access?.acceptsAnyCertificate ?? false,
    close: () => http.close(),
  };
}

/** Those that the context shares, which stay open when one of their users closes them; else new ones. */
export async function connectionsOf(
  context: Context,
  limits: RegistryLimits,
): Promise<RegistryConnections> {
  const { connections } = context;
  if (connections === undefined) return await openConnections(context, limits);
  return { ...connections, close: () => {} };
}

interface ClientOptions {
  readonly connections: RegistryConnections;
  /** Whether the settings allow plain HTTP everywhere. */
  readonly allowHttp: boolean;
  readonly limits: RegistryLimits;
}

/** A client for one place. The user belongs to the registry that was named, and not to its mirrors. */
export function clientAt(
  location: ImageLocation,
  { registry, user }: RegistryName,
  { connections, allowHttp, limits }: ClientOptions,
): RegistryClient {
  const { http, credentials, acceptsAnyCertificate } = connections;
  const isNamed = location.registry === registry;
  const insecure = location.insecure || (isNamed && acceptsAnyCertificate);
  const options = { location: { ...location, insecure }, allowHttp, limits, http, credentials };
  return new RegistryClient({ ...options, ...(isNamed && user !== undefined && { user }) });
}
