/** The repositories of a registry (`/v2/_catalog`): many registries have this list, few show it all. */

import { registryLocation } from "../../containers_conf/image_locations.ts";
import { DenrootError, hasCode } from "../../errors.ts";
import { TransferError } from "../../http/transfer_error.ts";
import { familiarHost } from "../../reference/docker_hub.ts";
import type { RegistryName } from "../../reference/registry_name.ts";
import { plainText } from "../../text/quote_text.ts";
import type { SourceContext } from "../source_context.ts";
import { clientAt, connectionsOf } from "./connections.ts";
import { DEFAULT_LIMITS, type RegistryLimits } from "./limits.ts";
import { Endpoints, toRegistryEndpoint } from "./mirrors/endpoints.ts";
import { listPages } from "./read/list_pages.ts";

/** Statuses of a registry without this list, or of a server that is no registry. */
const HAS_NONE: ReadonlySet<number> = new Set([404, 405, 410, 501]);

/**
 * The repositories of the registry itself, without its mirrors, each once, in the registry's order.
 *
 * Throws code `unsupported` when the registry has no such list, `credentials` when it does not show
 * it to this user, `settings` when `registries.conf` blocks the registry.
 */
export async function readCatalog(
  name: RegistryName,
  context: Pick<SourceContext, "settings" | "access" | "connections" | "onProgress" | "signal">,
  limits: RegistryLimits = DEFAULT_LIMITS,
): Promise<readonly string[]> {
  const { settings, onProgress, signal } = context;
  const connections = await connectionsOf(context, limits);
  const location = registryLocation(name.registry, connections.conf);
  const { allowHttp } = settings;
  const client = clientAt(location, name, { connections, allowHttp, limits });
  const endpoint = toRegistryEndpoint(location, client, limits, settings.transferRetries);
  const host = plainText(familiarHost(location.registry));
  try {
    const { names } = await listPages(
      {
        what: `The repositories of ${host}`,
        item: "repository",
        path: "_catalog",
        field: "repositories",
        form: /^\w[\w./-]{0,254}$/,
        request: { actions: ["*"], isCatalog: true },
      },
      new Endpoints([endpoint], onProgress),
      signal,
    );
    return names;
  } catch (error) {
    throw explained(error, host);
  } finally {
    connections.close();
  }
}

function explained(error: unknown, host: string): unknown {
  const name = `name one: denroot tags docker://${host}/NAME`;
  if (error instanceof TransferError) {
    const isUnsupported = /\bUNSUPPORTED\b/.test(error.message);
    if (isUnsupported || HAS_NONE.has(error.status ?? 0)) {
      return new DenrootError(
        "unsupported",
        `${host} has no list of repositories: ${error.message}`,
        {
          cause: error,
          hint: `Few registries have one. If ${host} is a registry, ${name}`,
        },
      );
    }
  }
  // Without a status the registry did not refuse this list, but there are no good credentials.
  if (!hasCode(error, "credentials") || !(error instanceof TransferError && error.status)) {
    return error;
  }
  return new DenrootError("credentials", error.message, {
    cause: error,
    hint: `Many registries show this list to nobody, or to administrators alone. ` +
      `If you know a repository, ${name}`,
  });
}
