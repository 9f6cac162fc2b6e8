/** The files that enroot's runtime expects in an image, made from the image's configuration. */

import { posix } from "node:path";
import { DenrootError } from "../errors.ts";
import type { ImageConfig } from "../types/image.ts";
import { fstabWord, oneLine, shellWord } from "./quote.ts";
import { formatSource, SOURCE_PATH } from "./source_file.ts";

export interface OwnFile {
  /** Below the root, without a leading slash. */
  readonly path: string;
  readonly mode: number;
  readonly content: Uint8Array;
}

/** The runtime gives the script to a shell; nothing executes the file itself. */
const MODE = 0o644;

/**
 * Gives `/etc/rc`, `/etc/rc.local`, `/etc/fstab`, `/etc/environment` and `/.enroot/source`. `uri`
 * is the canonical one, without a user.
 *
 * Nothing in the configuration can add a line or a command to them. Throws code `manifest` for NUL
 * characters, which no program can get as an argument.
 */
export function ownFiles(config: ImageConfig, uri: string): readonly OwnFile[] {
  const encoder = new TextEncoder();
  const contents: readonly (readonly [path: string, text: string])[] = [
    ["etc/rc", commandScript(config, uri)],
    ["etc/rc.local", localScript()],
    ["etc/fstab", volumeMounts(config)],
    ["etc/environment", environmentLines(config)],
    [SOURCE_PATH, formatSource(uri)],
  ];
  return contents.map(([path, text]) => ({ path, mode: MODE, content: encoder.encode(text) }));
}

/** Gives the absolute path of the directory in which the container starts. */
export function workingDirectory(config: ImageConfig): string {
  return posix.resolve("/", withoutNul(config.workingDir, "working directory"));
}

/** `/etc/rc` enters the working directory, reads `/etc/rc.local` and runs the program. */
function commandScript(config: ImageConfig, uri: string): string {
  const entrypoint = words(config.entrypoint, "entrypoint");
  const command = words(config.cmd, "command");
  if (entrypoint.length === 0 && command.length === 0) command.push(shellWord("/bin/sh"));
  const directory = shellWord(workingDirectory(config));
  const lines = [
    `# enroot-provenance: ${oneLine(uri)}`,
    ...Object.entries(config.labels).map(([key, value]) => `# ${oneLine(key)} ${oneLine(value)}`),
    "",
    `[ -d ${directory} ] || mkdir -p ${directory} 2> /dev/null`,
    `cd ${directory} || exit 1`,
    "unset OLDPWD",
    "",
    "if [ -s /etc/rc.local ]; then",
    "    . /etc/rc.local",
    "fi",
    "",
    "if [ $# -eq 0 ]; then",
    `    exec ${[...entrypoint, ...command].join(" ")}`,
    "else",
    `    exec ${[...entrypoint, '"$@"'].join(" ")}`,
    "fi",
  ];
  return lines.join("\n") + "\n";
}

function localScript(): string {
  return "# /etc/rc reads this file before it runs the image's program. Commands put here can\n" +
    '# prepare the container, or change the program\'s arguments ("$@").\n';
}

/** `/etc/fstab` mounts each volume onto itself, so that it can be written to. */
function volumeMounts(config: ImageConfig): string {
  const paths = config.volumes.map((volume) => posix.resolve("/", withoutNul(volume, "volume")));
  return [...new Set(paths)]
    .filter((path) => path !== "/")
    .sort()
    .map(fstabWord)
    .map((path) => `\${ENROOT_ROOTFS}${path} ${path} none x-create=dir,bind,rw,nosuid,nodev\n`)
    .join("");
}

/**
 * `/etc/environment` has one variable on each line. A line break in a value becomes a space,
 * because the format cannot express it.
 */
function environmentLines(config: ImageConfig): string {
  return config.env
    .map((variable) => withoutNul(variable, "environment"))
    .filter((variable) => /^[^\s=#\p{Cc}][^=\p{Cc}]*=/u.test(variable))
    .map((variable) => `${variable.replace(/\r\n|[\n\r\u0085\u2028\u2029]/g, " ")}\n`)
    .join("");
}

function words(list: readonly string[], name: string): string[] {
  // Docker treats a single empty word as an empty list.
  if (list.length === 1 && list[0] === "") return [];
  return list.map((word) => shellWord(withoutNul(word, name)));
}

function withoutNul(text: string, name: string): string {
  if (!text.includes("\0")) return text;
  throw new DenrootError(
    "manifest",
    `The image's configuration has a NUL character in its ${name}`,
    { hint: "The image is broken and has to be built again" },
  );
}
