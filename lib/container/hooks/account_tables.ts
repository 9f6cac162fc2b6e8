/**
 * Merges the users and groups that every container has into an image's passwd(5), group(5) and
 * shadow(5). Tables have one character for each byte, since they need not be UTF-8.
 */

import { Buffer } from "node:buffer";

export interface ContainerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly comment: string;
  readonly home: string;
  readonly shell: string;
}

export interface ContainerGroup {
  readonly name: string;
  readonly gid: number;
}

/** apt drops its privileges to this user, which fails in a container that has one user only. */
const APT_USER = "_apt";
const PASSWD_FIELDS = 7;
const GROUP_FIELDS = 4;

/**
 * Puts `users` before those of the table, and removes others of their names, `_apt`, and lines that
 * are no entries. A table that was merged before stays as it is.
 */
export function mergePasswd(table: string, users: readonly ContainerUser[]): string {
  const entries = users.map(({ name, uid, gid, comment, home, shell }) =>
    [name, "x", uid, gid, comment, home, shell].map(plainField).join(":")
  );
  return merge(table, entries, PASSWD_FIELDS);
}

/** Does for groups what {@link mergePasswd} does for users. */
export function mergeGroup(table: string, groups: readonly ContainerGroup[]): string {
  const entries = groups.map(({ name, gid }) => `${plainField(name)}:x:${gid}:`);
  return merge(table, entries, GROUP_FIELDS);
}

/**
 * Adds a line without a password for each of the users that has none: where a shadow table exists,
 * programs such as `su` refuse users that it lacks.
 */
export function mergeShadow(table: string, names: readonly string[]): string {
  const lines = linesOf(table);
  const known = new Set(lines.map(nameOf));
  const added = [...new Set(names.map(plainField))].filter((name) => !known.has(name))
    .map((name) => `${name}:*:::::::`);
  return added.length === 0 ? table : textOf([...lines, ...added]);
}

function merge(table: string, entries: readonly string[], fields: number): string {
  // When two entries have one name, the later one is the user's own.
  const own = new Map(entries.map((entry) => [nameOf(entry), entry]));
  const others = linesOf(table).filter((line) =>
    isEntry(line, fields) && !own.has(nameOf(line)) && nameOf(line) !== APT_USER
  );
  return textOf([...own.values(), ...others]);
}

/** Lines that begin with a sign ask for a network's users (nsswitch.conf's `compat`). */
function isEntry(line: string, fields: number): boolean {
  return /^[+-]/.test(line) || (line.split(":").length === fields && nameOf(line) !== "");
}

function nameOf(line: string): string {
  return line.split(":", 1)[0]!;
}

function linesOf(table: string): readonly string[] {
  return table.split("\n").filter((line) => line !== "");
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

/** As bytes. Neither a colon nor a line break may come from a user's data. */
function plainField(value: string | number): string {
  return Buffer.from(String(value).replace(/[:\n\r\0]/g, "_")).toString("latin1");
}
