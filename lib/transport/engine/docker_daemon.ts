/** An image of the Docker daemon's: `dockerd://IMAGE`, `docker-daemon:IMAGE` -> `ImageSource`. */

import type { EngineReference } from "../../types/reference.ts";
import type { ImageSource } from "../../types/source.ts";
import { dockerApi } from "./api_engine.ts";
import { connectEngine, NoEngineError } from "./connect_engine.ts";
import { dockerEndpoints } from "./docker_endpoints.ts";
import type { Engine } from "./engine.ts";
import { engineSource } from "./source.ts";
import { programEngine } from "./program_engine.ts";
import type { SourceContext } from "../source_context.ts";

/** Throws code `network` when no daemon is reached, `settings` for a context that cannot be used. */
export async function openDockerDaemon(
  reference: EngineReference,
  context: SourceContext,
): Promise<ImageSource> {
  return engineSource(await findDaemon(context), reference, context);
}

/** Over its API; through the `docker` program where only that may reach it. */
async function findDaemon({ settings, signal }: SourceContext): Promise<Engine> {
  const { environment, connectTimeoutMs } = settings;
  const endpoints = await dockerEndpoints(environment);
  try {
    const connection = await connectEngine(endpoints, {
      what: "Docker daemon",
      timeoutMs: connectTimeoutMs,
      signal,
      hint: "Start the daemon, or say where it is with DOCKER_HOST or DOCKER_CONTEXT; " +
        "docker://IMAGE imports from a registry without it",
      deniedHint: "Members of the group docker may use it; a rootless daemon, or " +
        "docker://IMAGE, needs no permission",
    });
    return dockerApi(connection);
  } catch (reason) {
    if (!(reason instanceof NoEngineError)) throw reason;
    return programEngine("docker", { environment, reason });
  }
}
