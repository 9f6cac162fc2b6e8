/** Opens an image of podman: `podman://IMAGE`. */

import { join } from "node:path";
import { accountId } from "../../system/host/environment.ts";
import type { EngineReference } from "../../types/reference.ts";
import type { ImageSource } from "../../types/source.ts";
import { podmanApi } from "./api_engine.ts";
import { connectEngine, NoEngineError } from "./connect_engine.ts";
import { type Endpoint, parseEndpoint } from "./endpoint.ts";
import type { Engine } from "./engine.ts";
import { engineSource } from "./source.ts";
import { programEngine } from "./program_engine.ts";
import type { SourceContext } from "../source_context.ts";

/** Throws code `settings` for a `CONTAINER_HOST` that cannot be used. */
export async function openPodman(
  reference: EngineReference,
  context: SourceContext,
): Promise<ImageSource> {
  return engineSource(await findPodman(context), reference, context);
}

/** Finds podman over the socket of its service, or else through the program `podman`. */
async function findPodman({ settings, signal }: SourceContext): Promise<Engine> {
  const { environment, connectTimeoutMs } = settings;
  try {
    const connection = await connectEngine(podmanEndpoints(environment), {
      what: "podman service",
      timeoutMs: connectTimeoutMs,
      signal,
      hint: HINT,
      deniedHint: HINT,
    });
    return podmanApi(connection);
  } catch (reason) {
    if (!(reason instanceof NoEngineError)) throw reason;
    return programEngine("podman", { environment, reason });
  }
}

const HINT =
  "Install podman, or set CONTAINER_HOST to the socket of its service, or import from a " +
  "registry with docker://IMAGE";

/**
 * Gives the endpoint in `CONTAINER_HOST`; or else the sockets of podman.socket, which are the user's
 * and, for root, the system's.
 */
export function podmanEndpoints(
  env: Readonly<Record<string, string | undefined>>,
  userId: number = accountId(),
): readonly Endpoint[] {
  if (env.CONTAINER_HOST) return [parseEndpoint(env.CONTAINER_HOST, "CONTAINER_HOST")];
  const directories = [];
  if (env.XDG_RUNTIME_DIR) directories.push(env.XDG_RUNTIME_DIR);
  else if (userId !== 0) directories.push(`/run/user/${userId}`);
  if (userId === 0) directories.push("/run");
  return directories.map((path) => ({ type: "unix", path: join(path, "podman/podman.sock") }));
}
