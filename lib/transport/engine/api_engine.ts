/** Engines that are asked over their API (docs.docker.com/reference/api/engine). */

import { DenrootError } from "../../errors.ts";
import { quoteText } from "../../text/quote_text.ts";
import type { Platform } from "../../types/image.ts";
import type { Connection } from "./connect_engine.ts";
import { bareId, type Engine, isNotFound, parseEngineImage } from "./engine.ts";
import { imagePath } from "./engine_client.ts";

/** The latest version of the API that is known here; an older daemon is asked by its own. */
const API_VERSION = 52;
/** Versions from which a daemon with several platforms of an image lets one be chosen. */
const SAVES_PLATFORM = 48;
const INSPECTS_PLATFORM = 49;

/** A Docker daemon, or what speaks as one. */
export function dockerApi({ client, versions, place }: Connection): Engine {
  const [major, minor] = versions.api.split(".").map(Number) as [number, number];
  // A daemon refuses versions that are newer than its own, or much older.
  const version = major > 1 ? API_VERSION : Math.min(minor, API_VERSION);
  const prefix = `/v1.${version}`;
  return {
    name: `the Docker daemon at ${place}`,
    async inspect(image, platform, signal) {
      const path = imagePath(prefix, image, "json");
      const ask = (query: string) => client.json(`${path}${query}`, signal);
      const chosen = version >= INSPECTS_PLATFORM ? platformQuery(platform) : "";
      // An image for one platform only is taken as it is.
      const answer = await ask(chosen).catch((error) => {
        if (chosen === "" || !isNotFound(error)) throw error;
        return ask("");
      });
      return parseEngineImage(answer, `Docker's description of ${quoteText(image)}`);
    },
    save(image, signal) {
      const query = version >= SAVES_PLATFORM ? platformQuery(image.platform) : "";
      return client.stream(`${imagePath(prefix, bareId(image), "get")}${query}`, signal);
    },
  };
}

/**
 * podman's service. Names are resolved by podman's own API, as `podman` itself does; Docker's, which
 * takes every name for one of Docker Hub's, gives the archive: it removes its temporary copy whatever
 * happens.
 */
export function podmanApi({ client, versions, place }: Connection): Engine {
  if (versions.libpod === undefined) {
    throw new DenrootError("unsupported", `The engine at ${place} is not podman`, {
      hint: "For a Docker daemon write dockerd://IMAGE",
    });
  }
  return {
    name: `podman at ${place}`,
    async inspect(image, _platform, signal) {
      const path = imagePath(`/v${versions.libpod}/libpod`, image, "json");
      const answer = await client.json(path, signal);
      return parseEngineImage(answer, `podman's description of ${quoteText(image)}`);
    },
    save: (image, signal) =>
      client.stream(imagePath(`/v${versions.api}`, bareId(image), "get"), signal),
  };
}

function platformQuery({ os, architecture, variant }: Platform): string {
  const platform = JSON.stringify({ os, architecture, ...(variant && { variant }) });
  return `?platform=${encodeURIComponent(platform)}`;
}
