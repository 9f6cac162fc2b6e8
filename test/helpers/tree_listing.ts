/** The contents of a directory tree or an image, in a form that can be compared. */

import { createHash } from "node:crypto";
import { lstatSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "./run_program.ts";

export interface TreeEntry {
  /** Its bytes as Latin-1 characters; the root is the empty string. */
  readonly path: string;
  readonly type: "file" | "directory" | "symlink" | "char" | "block" | "fifo" | "socket";
  /** Permission bits, set-user-id and their like included. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds. */
  readonly mtime: number;
  readonly size?: number;
  readonly sha256?: string;
  readonly linkPath?: string;
  /** The first path that shares this inode; absent when there is only one. */
  readonly group?: string;
  /** `major:minor`. */
  readonly device?: string;
  /** Values in hexadecimal digits. */
  readonly xattrs?: Readonly<Record<string, string>>;
}

export type Tree = ReadonlyMap<string, TreeEntry>;

/** The tree below a directory, read with find and getfattr; complete only as root. */
export async function listDirectory(directory: string): Promise<Tree> {
  const format = ["%y", "%m", "%U", "%G", "%s", "%T@", "%D:%i", "%n", "%l", "%P"]
    .map((field) => `${field}\\0`).join("");
  const found = await runProgram("find", [directory, "-printf", format], { timeoutMs: 600_000 });
  const fields = found.stdoutBytes.toString("latin1").split("\0");
  const xattrs = await readXattrs(directory);
  const tree = new Map<string, TreeEntry>();
  const inodes = new Map<string, string[]>();
  for (let at = 0; at + 10 <= fields.length; at += 10) {
    const [kind, mode, uid, gid, size, mtime, inode, links, linkPath, path] = fields
      .slice(at, at + 10) as [string, ...string[]];
    const type = typeOf(kind);
    const full = Buffer.from(path === "" ? directory : `${directory}/${path}`, "latin1");
    if (Number(links) > 1 && type !== "directory") {
      inodes.set(inode!, [...inodes.get(inode!) ?? [], path!]);
    }
    tree.set(path!, {
      path: path!,
      type,
      mode: parseInt(mode!, 8),
      uid: Number(uid),
      gid: Number(gid),
      mtime: Math.floor(Number(mtime)),
      ...(type === "file" ? { size: Number(size), sha256: sha256(readFileSync(full)) } : {}),
      ...(type === "symlink" ? { linkPath: linkPath! } : {}),
      ...(type === "char" || type === "block" ? { device: deviceOf(full) } : {}),
      ...(xattrs.has(path!) ? { xattrs: xattrs.get(path!)! } : {}),
    });
  }
  return withGroups(tree, [...inodes.values()]);
}

/** The tree of a squashfs image, which is unpacked and removed again. */
export async function listImage(image: string): Promise<Tree> {
  return await withUnpacked(image, listDirectory);
}

/** Unpacks an image, passes the directory to `use`, and removes it. */
export async function withUnpacked<T>(
  image: string,
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const scratch = mkdtempSync(join(tmpdir(), "denroot-unpacked-"));
  try {
    const target = join(scratch, "root");
    await runProgram("unsquashfs", ["-no-progress", "-dest", target, image], {
      timeoutMs: 600_000,
    });
    return await use(target);
  } finally {
    await removeTree(scratch);
  }
}

/** rmSync takes seconds for directories that are deep in each other. */
export async function removeTree(directory: string): Promise<void> {
  await runProgram("rm", ["-rf", directory]);
}

/** The bytes of one file inside an image. */
export async function readFromImage(image: string, path: string): Promise<string> {
  return (await runProgram("unsquashfs", ["-cat", image, path])).stdout;
}

export interface Comparison {
  /** Paths to skip, with everything below them. */
  readonly without?: readonly string[];
  /** Fields to skip. */
  readonly ignore?: readonly (keyof TreeEntry)[];
  /** Also compare the times of directories; those of implied parents are not defined. */
  readonly directoryTimes?: boolean;
}

/** The differences between two trees, one line each. */
export function compareTrees(actual: Tree, expected: Tree, options: Comparison = {}): string[] {
  const left = prepare(actual, options);
  const right = prepare(expected, options);
  const lines: string[] = [];
  for (const [path, entry] of right) {
    const other = left.get(path);
    if (other === undefined) lines.push(`${shown(path)}: missing ${JSON.stringify(entry)}`);
    else lines.push(...entryDifferences(other, entry));
  }
  for (const [path, entry] of left) {
    if (!right.has(path)) lines.push(`${shown(path)}: surplus ${JSON.stringify(entry)}`);
  }
  return lines;
}

/** A tree as enroot changes it: root owns all, modes are usable, nothing is below `dev`. */
export function asEnrootImage(tree: Tree): Tree {
  const changed = new Map<string, TreeEntry>();
  for (const [path, entry] of tree) {
    if (path.startsWith("dev/")) continue;
    changed.set(path, { ...entry, uid: 0, gid: 0, mode: usableMode(entry) });
  }
  return regroup(changed);
}

function usableMode(entry: TreeEntry): number {
  if (entry.type === "symlink") return entry.mode;
  if (entry.type === "directory") return entry.mode | 0o700;
  return entry.mode | 0o400 | ((entry.mode & 0o111) === 0 ? 0 : 0o100);
}

function prepare(tree: Tree, options: Comparison): Tree {
  const without = options.without ?? [];
  const kept = new Map<string, TreeEntry>();
  for (const [path, entry] of tree) {
    if (without.some((one) => path === one || path.startsWith(`${one}/`))) continue;
    const copy: Record<string, unknown> = { ...entry };
    for (const field of options.ignore ?? []) delete copy[field];
    if (entry.type === "directory" && options.directoryTimes !== true) delete copy.mtime;
    // The mode that the kernel reports for a symlink has no meaning.
    if (entry.type === "symlink") delete copy.mode;
    kept.set(path, copy as unknown as TreeEntry);
  }
  return options.ignore?.includes("group") ? kept : regroup(kept);
}

/** Names each group by its first path again: an earlier one may have been left out. */
function regroup(tree: Map<string, TreeEntry>): Tree {
  const groups = new Map<string, string[]>();
  for (const entry of tree.values()) {
    if (entry.group === undefined) continue;
    groups.set(entry.group, [...groups.get(entry.group) ?? [], entry.path]);
  }
  return withGroups(tree, [...groups.values()]);
}

function withGroups(tree: Map<string, TreeEntry>, groups: readonly string[][]): Tree {
  for (const paths of groups) {
    const first = [...paths].sort()[0]!;
    for (const path of paths) {
      const { group: _, ...entry } = tree.get(path)!;
      tree.set(path, paths.length > 1 ? { ...entry, group: first } : entry);
    }
  }
  return tree;
}

function entryDifferences(actual: TreeEntry, expected: TreeEntry): string[] {
  const fields = new Set([...Object.keys(actual), ...Object.keys(expected)]);
  return [...fields].flatMap((field) => {
    const is = JSON.stringify(actual[field as keyof TreeEntry]);
    const should = JSON.stringify(expected[field as keyof TreeEntry]);
    return is === should
      ? []
      : [`${shown(actual.path)}: ${field} is ${inOctal(field, is)}, not ${inOctal(field, should)}`];
  });
}

function inOctal(field: string, value: string | undefined): string {
  return field === "mode" && value !== undefined ? Number(value).toString(8) : String(value);
}

function shown(path: string): string {
  return JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}...` : path);
}

/** Extended attributes by path, from `getfattr`'s dump. */
async function readXattrs(directory: string): Promise<Map<string, Record<string, string>>> {
  const args = ["-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", "--absolute-names", directory];
  const dump = (await runProgram("getfattr", args, { timeoutMs: 600_000 })).stdoutBytes;
  const found = new Map<string, Record<string, string>>();
  for (const block of dump.toString("latin1").split("\n\n")) {
    const lines = block.split("\n").filter((line) => line !== "");
    const head = lines[0]?.match(/^# file: (.*)$/);
    if (head === null || head === undefined) continue;
    const path = unescape(head[1]!).slice(directory.length + 1);
    const pairs = lines.slice(1).map((line) => {
      const at = line.indexOf("=");
      const name = at < 0 ? line : line.slice(0, at);
      return [unescape(name), at < 0 ? "" : line.slice(at + 3)] as const;
    });
    found.set(path, Object.fromEntries(pairs.sort(([a], [b]) => a < b ? -1 : 1)));
  }
  return found;
}

function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)));
}

function typeOf(kind: string): TreeEntry["type"] {
  const types: Record<string, TreeEntry["type"]> = {
    f: "file",
    d: "directory",
    l: "symlink",
    c: "char",
    b: "block",
    p: "fifo",
    s: "socket",
  };
  return types[kind]!;
}

function deviceOf(path: Buffer): string {
  const device = BigInt(lstatSync(path, { bigint: true }).rdev);
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
