/** One entry of a list: an image, or patterns for repositories and tags of a registry. */

import { DenrootError } from "../../errors.ts";
import { parseReference } from "../../reference/parse_reference.ts";
import { parseRegistryName, type RegistryName } from "../../reference/registry_name.ts";
import { ALL_SCHEME_FACTS } from "../../reference/scheme_facts.ts";
import { quotePath } from "../../text/quote_text.ts";
import type { SideOptions } from "../../copy/side_options.ts";
import type { DockerReference, Reference } from "../../types/reference.ts";
import { isTagPattern, type NameTest, tagTest } from "./name_pattern.ts";

export type ListItem = PlaceItem | RepositoriesItem;

/** An image; or a layout or an archive without a name, with all images in it. */
export interface PlaceItem {
  readonly type: "place";
  /** What somebody wrote, for messages. */
  readonly text: string;
  readonly reference: Reference;
  /** What the list says about the place's registry. */
  readonly side?: SideOptions;
}

/** The images of a registry that fit patterns. */
export interface RepositoriesItem {
  readonly type: "repositories";
  readonly text: string;
  readonly registry: string;
  readonly user?: string | undefined;
  /** A name, or a glob for `globTest`. */
  readonly repositories: string;
  readonly tags: NameTest;
  readonly side?: SideOptions;
}

const DOCKER = "docker://";

/**
 * Reads an entry: any URI; `docker://REGISTRY/NAME:PATTERN`; `docker://REGISTRY/PATTERN[:PATTERN]`;
 * `docker://REGISTRY/PREFIX/` and `docker://REGISTRY` for everything below. Throws code `reference`.
 */
export function parseListItem(text: string): ListItem {
  if (!text.startsWith(DOCKER)) return { type: "place", text, reference: parseReference(text) };
  const registry = parseRegistryName(text);
  if (registry !== undefined) return everything(text, registry, "**");
  if (text.endsWith("/")) return everything(text, ...splitRegistry(text, `${text}**`));
  const { name, tag } = splitTag(text);
  const hasTagPattern = tag !== undefined && isTagPattern(tag);
  if (/[*?]/.test(name)) {
    const [at, repositories] = splitRegistry(text, name);
    return { type: "repositories", text, ...at, repositories, tags: tagTest(tag ?? "*") };
  }
  if (!hasTagPattern) return { type: "place", text, reference: parseReference(text) };
  const { registry: host, repository, user } = parseReference(name) as DockerReference;
  return {
    type: "repositories",
    text,
    registry: host,
    ...(user !== undefined && { user }),
    repositories: repository,
    tags: tagTest(tag),
  };
}

/** Whether the text begins as a URI does. */
export function hasScheme(text: string): boolean {
  return ALL_SCHEME_FACTS.some(({ prefix }) => prefix !== "" && text.startsWith(prefix));
}

function everything(text: string, at: RegistryName, repositories: string): RepositoriesItem {
  return { type: "repositories", text, ...at, repositories, tags: () => true };
}

/** The tag begins at the first colon behind the last slash; the host may have a port. */
function splitTag(text: string): { readonly name: string; readonly tag?: string } {
  const start = Math.max(text.lastIndexOf("/"), text.lastIndexOf("#"));
  const colon = text.indexOf(":", start);
  if (colon < 0 || text.includes("@sha", start)) return { name: text };
  return { name: text.slice(0, colon), tag: text.slice(colon + 1) };
}

/** The registry of `name`, and the rest of it. */
function splitRegistry(
  text: string,
  name: string,
): readonly [registry: RegistryName, repositories: string] {
  const end = name.slice(DOCKER.length).search(/[#/]/) + DOCKER.length;
  const registry = end < DOCKER.length ? undefined : parseRegistryName(name.slice(0, end + 1));
  if (registry === undefined || /[*?]/.test(registry.registry)) {
    throw new DenrootError("reference", `${quotePath(text)} does not say in which registry`, {
      hint: "Write docker://REGISTRY/PATTERN, as in docker://docker.io/library/alpine*",
    });
  }
  return [registry, name.slice(end + 1)];
}
