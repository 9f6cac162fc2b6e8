/** Talks to engines over their API (docs.docker.com/reference/api/engine). */

import { DenrootError } from "../../errors.ts";
import { quoteText } from "../../text/quote_text.ts";
import type { Platform } from "../../types/image.ts";
import type { Connection } from "./connect_engine.ts";
import { bareId, type Engine, isNotFound, parseEngineImage } from "./engine.ts";
import { imagePath } from "./engine_client.ts";

/** The latest minor version of the API that denroot knows; an older daemon is asked with its own. */
const API_VERSION = 52;
/** The versions since which a daemon can be asked for one platform of an image. */
const SAVES_PLATFORM = 48;
const INSPECTS_PLATFORM = 49;

/** Talks to a Docker daemon, or to a program that has the same API. */
export function dockerApi({ client, versions, address }: Connection): Engine {
  const [major, minor] = versions.api.split(".").map(Number) as [number, number];
  // A daemon refuses versions that are newer than its own or much older.
  const version = major > 1 ? API_VERSION : Math.min(minor, API_VERSION);
  const prefix = `/v1.${version}`;
  return {
    name: `the Docker daemon at ${address}`,
    async inspect(image, platform, signal) {
      const path = imagePath(prefix, image, "json");
      const ask = (query: string) => client.json(`${path}${query}`, signal);
      const chosen = version >= INSPECTS_PLATFORM ? platformQuery(platform) : "";
      // An image for only one platform is accepted, even if it is another one.
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
 * Talks to podman's service. Throws code `unsupported` when another engine answers.
 *
 * Images are looked up with podman's own API, which resolves names as the program `podman` does:
 * Docker's API would take every short name for one of Docker Hub's. The archive is read with Docker's
 * API, because that one always removes its temporary copy.
 */
export function podmanApi({ client, versions, address }: Connection): Engine {
  if (versions.libpod === undefined) {
    throw new DenrootError("unsupported", `The engine at ${address} is not podman`, {
      hint: "For an image of a Docker daemon, write dockerd://IMAGE",
    });
  }
  return {
    name: `podman at ${address}`,
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
