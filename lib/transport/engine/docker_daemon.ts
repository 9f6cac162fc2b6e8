/** Opens an image of the Docker daemon: `dockerd://IMAGE`, `docker-daemon:IMAGE`. */

import type { EngineReference } from "../../types/reference.ts";
import type { ImageSource } from "../../types/source.ts";
import { dockerApi } from "./api_engine.ts";
import { connectEngine, type Connection, NoEngineError } from "./connect_engine.ts";
import { dockerEndpoints } from "./docker_endpoints.ts";
import type { Engine } from "./engine.ts";
import { engineSource } from "./source.ts";
import { programEngine } from "./program_engine.ts";
import type { SourceContext } from "../source_context.ts";

/** Throws code `settings` for a host, context or certificate that cannot be used. */
export async function openDockerDaemon(
  reference: EngineReference,
  context: SourceContext,
): Promise<ImageSource> {
  return engineSource(await findDaemon(context), reference, context);
}

/** Throws {@link NoEngineError} when no daemon answers. */
export async function connectDaemon(
  { settings, signal }: Pick<SourceContext, "settings" | "signal">,
): Promise<Connection> {
  const { environment, connectTimeoutMs } = settings;
  return await connectEngine(await dockerEndpoints(environment), {
    what: "Docker daemon",
    timeoutMs: connectTimeoutMs,
    signal,
    hint: "Start the daemon, or say where it is with DOCKER_HOST or DOCKER_CONTEXT, or import " +
      "from a registry with docker://IMAGE",
    deniedHint: "Only members of the group docker may use the daemon: use a rootless daemon, or " +
      "import from a registry with docker://IMAGE",
  });
}

/** Finds the daemon over its API, or else through the program `docker`. */
async function findDaemon(context: SourceContext): Promise<Engine> {
  const { environment } = context.settings;
  try {
    return dockerApi(await connectDaemon(context));
  } catch (reason) {
    if (!(reason instanceof NoEngineError)) throw reason;
    return programEngine("docker", { environment, reason });
  }
}
