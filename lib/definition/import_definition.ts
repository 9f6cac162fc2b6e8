/** Brings the image file of a definition up to date. */

import fs from "node:fs";
import path from "node:path";
import { loadSettings, type Settings } from "../config/settings.ts";
import { DenrootError, type ErrorCode, hasCode, messageOf } from "../errors.ts";
import { checkOutput, outputPath } from "../image/check_output.ts";
import { formatReference } from "../reference/format_reference.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { schemeOf } from "../reference/schemes.ts";
import { findUnsquashfs } from "../tools/find_tools.ts";
import { readImageSource } from "../squashfs/read_image_source.ts";
import { importImage, type ImportOptions, type ImportResult } from "../image/import_image.ts";
import type { Definition, DefinitionName } from "./parse_definition.ts";

/** The options of an import that a definition does not decide. */
export type DefinitionOptions = Omit<ImportOptions, "output" | "architecture">;

/** The image that is now in the output of a definition. */
export interface DefinedImage extends Pick<ImportResult, "output" | "uri" | "bytes"> {
  /** The result of the import; undefined where the output was up to date. */
  readonly imported?: ImportResult;
}

/**
 * Imports the image of `definition`, unless the output exists, was made from the same reference, and
 * is not older than the definition. It does not ask the registry whether a tag has moved; with
 * `force` it always imports.
 *
 * Without `force` it throws code `exists` rather than replace an output whose source is unknown. It
 * throws as {@link importImage} does. An error that a line of the definition causes names the line.
 */
export async function importDefinition(
  definition: Definition,
  options: DefinitionOptions = {},
): Promise<DefinedImage> {
  const settings = options.settings ?? await loadSettings();
  const signal = options.signal ?? new AbortController().signal;
  const output = await atLine(definition, "output", () => outputPath(definition.output));
  const look = () => outputState({ ...definition, output }, settings, signal);
  const state: OutputState = options.force ? { kind: "stale" } : await look();
  if (state.kind === "current") return state.image;
  const isReplaceable = state.kind !== "foreign" || settings.forceOverride;
  await atLine(definition, "output", async () => {
    if (!isReplaceable) throw foreignOutput(output);
    await checkOutput(output, { force: true, inputs: [definition.file] });
  });
  if (state.kind === "stale" && state.reason !== undefined) {
    options.onProgress?.({ type: "log", level: "info", message: state.reason });
  }
  try {
    const { platform, squashOptions } = definition;
    const imported = await importImage(definition.image, {
      ...options,
      output,
      architecture: platform,
      settings: squashOptions === undefined ? settings : { ...settings, squashOptions },
      force: state.kind !== "missing",
    });
    return { output, uri: imported.uri, bytes: imported.bytes, imported };
  } catch (error) {
    // The same definition may run on many nodes at once. The first one makes the image for all.
    const after = isExists(error) ? await look() : state;
    if (after.kind === "current") return after.image;
    throw withLine(definition, error);
  }
}

/** The name whose line an error of an import is about. */
const CAUSES: Readonly<Partial<Record<ErrorCode, DefinitionName>>> = {
  not_found: "image",
  reference: "image",
  unsupported: "image",
  platform: "platform",
  squashfs: "squash-options",
};

function withLine(definition: Definition, error: unknown): unknown {
  const name = error instanceof DenrootError ? CAUSES[error.code] : undefined;
  return name === undefined ? error : located(definition, name, error as DenrootError);
}

async function atLine<T>(
  definition: Definition,
  name: DefinitionName,
  use: () => T | Promise<T>,
): Promise<T> {
  try {
    return await use();
  } catch (error) {
    throw error instanceof DenrootError ? located(definition, name, error) : error;
  }
}

/** The error with the file and the line; as it is where no line has the name. */
function located(definition: Definition, name: DefinitionName, error: DenrootError): DenrootError {
  const { file, lines = {} } = definition;
  // Without lines of their own, the output and the platform follow from the image.
  const line = lines[name] ?? (name === "squash-options" ? undefined : lines.image);
  if (line === undefined) return error;
  const { code, message, hint } = error;
  return new DenrootError(code, `${file}, line ${line}: ${message}`, { cause: error, hint });
}

type OutputState =
  | { readonly kind: "missing" }
  | { readonly kind: "current"; readonly image: DefinedImage }
  | { readonly kind: "stale"; readonly reason?: string }
  /** Nothing in the file says which image it was made from. */
  | { readonly kind: "foreign" };

async function outputState(
  definition: Definition,
  settings: Settings,
  signal: AbortSignal,
): Promise<OutputState> {
  const { file, output } = definition;
  const found = statOf(output);
  if (found === undefined) return { kind: "missing" };
  const source = found.isFile() ? await sourceOf(output, settings, signal) : undefined;
  if (source === undefined) return { kind: "foreign" };
  const reference = parseReference(definition.image);
  const uri = formatReference(reference);
  if (source !== uri) {
    return { kind: "stale", reason: `${output} was made from ${source}; importing ${uri}` };
  }
  // The image does not show which platform, options or archive it was made from, but times do.
  const sources = [file, ...schemeOf(reference).localFiles?.(reference) ?? []];
  const newer = sources.find((origin) => found.mtimeMs < (statOf(origin)?.mtimeMs ?? 0));
  if (newer !== undefined) {
    return { kind: "stale", reason: `${output} is older than ${path.basename(newer)}` };
  }
  return { kind: "current", image: { output, uri, bytes: found.size } };
}

function statOf(output: string): fs.Stats | undefined {
  try {
    return fs.statSync(output, { throwIfNoEntry: false });
  } catch (cause) {
    throw new DenrootError("file", `${output} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

async function sourceOf(
  image: string,
  settings: Settings,
  signal: AbortSignal,
): Promise<string | undefined> {
  using unsquashfs = await findUnsquashfs(settings);
  return await readImageSource(unsquashfs.path, image, signal);
}

function isExists(error: unknown): boolean {
  return hasCode(error, "exists");
}

function foreignOutput(output: string): DenrootError {
  return new DenrootError(
    "exists",
    `${output} is there already, and does not say which image it was made from`,
    { hint: "Use --force to replace it, or name another output in the definition" },
  );
}
