/** The names of containers: each is the name of a directory in ENROOT_DATA_PATH. */

import fs from "node:fs";
import path from "node:path";
import type { Settings } from "../config/settings.ts";
import { DenrootError, messageOf } from "../errors.ts";
import { defaultOutputName } from "../reference/output_name.ts";
import { namesIn } from "../system/files/names_in.ts";
import { closestName } from "../text/closest_name.ts";
import { quotePath } from "../text/quote_text.ts";
import type { Reference } from "../types/reference.ts";

/** As file systems have it, in bytes. */
const MAX_NAME = 255;
/** The endings of image files; 2019's enroot wrote the longer one. */
const ENDINGS = /(?<=.)\.(?:sqsh|squashfs)$/;

/** A container that was created. */
export interface ContainerPlace {
  readonly name: string;
  /** Its root file system: an absolute path. */
  readonly path: string;
}

function requireContainerName(name: string): void {
  const mistake = nameMistake(name);
  if (mistake === undefined) return;
  throw new DenrootError("usage", `${quotePath(name)} cannot be a container's name: ${mistake}`, {
    hint: name.startsWith("-")
      ? "Write options before the name"
      : "A name is one word without a slash, a dot at its beginning or control characters",
  });
}

/**
 * A name that begins with a dot would be hidden from `list`, and one that begins with a dash would look
 * like an option.
 */
function nameMistake(name: string): string | undefined {
  if (name === "") return "it is empty";
  if (name.includes("/")) return 'it has a "/"';
  if (name.startsWith(".")) return "it begins with a dot";
  if (name.startsWith("-")) return "it begins with a dash";
  // deno-lint-ignore no-control-regex
  if (/[\0-\x1f\x7f]/.test(name)) return "it has a control character";
  if (new TextEncoder().encode(name).length > MAX_NAME) return `it has more than ${MAX_NAME} bytes`;
  return undefined;
}

/** The name that an image file's container gets: its own without the ending. */
export function createdName(image: string): string {
  return path.basename(image).replace(ENDINGS, "");
}

/** The name that a loaded image's container gets: that of an imported file without the ending. */
export function loadedName(reference: Reference): string {
  return createdName(defaultOutputName(reference));
}

/**
 * Where a container of this name lies, or would lie. Throws code `usage` for a name that no container
 * can have.
 */
export function containerPlace(
  { dataPath }: Pick<Settings, "dataPath">,
  name: string,
): ContainerPlace {
  requireContainerName(name);
  return { name, path: path.join(dataPath, name) };
}

/**
 * The container of this name. Throws code `not_found` where there is none, and code `file` where a
 * link or a file has the name: what a link leads to is no container.
 */
export function findContainer(
  settings: Pick<Settings, "dataPath">,
  name: string,
): ContainerPlace {
  const place = containerPlace(settings, name);
  const status = placeStatus(place);
  if (status === undefined) throw noContainer(settings, place);
  if (status.isDirectory()) return place;
  throw new DenrootError("file", `${place.path} is no container: it is not a directory`, {
    hint: status.isSymbolicLink()
      ? "denroot does not follow links in ENROOT_DATA_PATH. Set it to the directory that has the " +
        "container, or move the container here"
      : "Remove the file, or choose another name",
  });
}

/**
 * What has a container's name; undefined where nothing has it. Throws code `file` where that cannot be
 * seen.
 */
export function placeStatus({ path }: ContainerPlace): fs.Stats | undefined {
  try {
    return fs.lstatSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    throw new DenrootError("file", `${path} cannot be looked at: ${messageOf(cause)}`, {
      cause,
      hint: "Set ENROOT_DATA_PATH to a directory of your own",
    });
  }
}

function noContainer(settings: Pick<Settings, "dataPath">, place: ContainerPlace): DenrootError {
  const names = containerNames(settings);
  const closest = closestName(place.name, names);
  return new DenrootError("not_found", `No such container: ${place.path}`, {
    hint: names.length === 0
      ? "There are no containers here. denroot create makes one"
      : `${closest === undefined ? "" : `Is it "${closest}"? `}denroot list shows all containers`,
  });
}

/** What `list` shows: all names in ENROOT_DATA_PATH but hidden ones, in the order of their bytes. */
export function containerNames({ dataPath }: Pick<Settings, "dataPath">): string[] {
  let names: string[];
  try {
    names = namesIn(dataPath);
  } catch (error) {
    throw new DenrootError("file", `${dataPath} cannot be read`, {
      cause: error,
      hint: "ENROOT_DATA_PATH names it",
    });
  }
  return names.filter((name) => !name.startsWith(".")).sort();
}
