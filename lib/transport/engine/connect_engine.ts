/** Connects to the first of several endpoints where an engine answers. */

import { DenrootError } from "../../errors.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { EngineClient, type EngineVersions, UnreachableError } from "./engine_client.ts";

export interface Connection {
  readonly client: EngineClient;
  readonly versions: EngineVersions;
  /** The endpoint's address, for messages. */
  readonly address: string;
}

interface ConnectOptions {
  /** The engine's name in messages: `Docker daemon`. */
  readonly what: string;
  /** How long each endpoint may take to answer, in milliseconds; 0 for no limit. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Says what to do when no engine answers. */
  readonly hint: string;
  /** Says what to do when this user may not use an engine that is there. */
  readonly deniedHint: string;
}

/** No endpoint answers. The engine's own program may still reach the engine. */
export class NoEngineError extends DenrootError {}

/**
 * Tries the endpoints one after the other. Throws {@link NoEngineError} when no engine answers; its
 * message lists the endpoints and what is wrong with each.
 */
export async function connectEngine(
  endpoints: readonly Endpoint[],
  options: ConnectOptions,
): Promise<Connection> {
  const failures: string[] = [];
  let isDenied = false;
  for (const endpoint of endpoints) {
    const address = formatEndpoint(endpoint);
    if (endpoint.type === "foreign") {
      failures.push(`${address} (only the engine's own program can connect there)`);
      continue;
    }
    const client = new EngineClient(endpoint);
    try {
      const versions = await client.ping(options.timeoutMs, options.signal);
      return { client, versions, address };
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      isDenied ||= error.isDenied;
      failures.push(`${address} (${error.message})`);
    }
  }
  throw new NoEngineError("network", `No ${options.what} answers at ${failures.join(", ")}`, {
    hint: isDenied ? options.deniedHint : options.hint,
  });
}
