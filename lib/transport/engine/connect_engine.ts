/** The first of several places where an engine answers. */

import { DenrootError } from "../../errors.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { EngineClient, type EngineVersions, UnreachableError } from "./engine_client.ts";

export interface Connection {
  readonly client: EngineClient;
  readonly versions: EngineVersions;
  /** The endpoint, for messages. */
  readonly place: string;
}

export interface ConnectOptions {
  /** What is looked for: `Docker daemon`. */
  readonly what: string;
  /** How long each endpoint may take to answer, in milliseconds; 0 for ever. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** What to do when there is none. */
  readonly hint: string;
  /** What to do when one is there that this user may not use. */
  readonly deniedHint: string;
}

/** No endpoint answers; the engine's own program may still know a way. */
export class NoEngineError extends DenrootError {}

/** Asks the endpoints one after the other. Throws {@link NoEngineError} that lists what was tried. */
export async function connectEngine(
  endpoints: readonly Endpoint[],
  options: ConnectOptions,
): Promise<Connection> {
  const failures: string[] = [];
  let isDenied = false;
  for (const endpoint of endpoints) {
    const place = formatEndpoint(endpoint);
    if (endpoint.type === "foreign") {
      failures.push(`${place} (only the engine's own program takes that way)`);
      continue;
    }
    const client = new EngineClient(endpoint);
    try {
      const versions = await client.ping(options.timeoutMs, options.signal);
      return { client, versions, place };
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      isDenied ||= error.isDenied;
      failures.push(`${place} (${error.message})`);
    }
  }
  throw new NoEngineError("network", `No ${options.what} was reached at ${failures.join(", ")}`, {
    hint: isDenied ? options.deniedHint : options.hint,
  });
}
