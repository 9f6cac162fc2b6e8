/** The rules that hold the code's rooms together, read from the sources themselves. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const maxLines = 350;

/**
 * The rooms, level by level: a room may import itself and all rooms of the levels above its own line.
 * A room that is not here may not exist.
 */
const levels: readonly (readonly string[])[] = [
  ["errors", "types", "text"],
  ["system"],
  ["config", "reference", "oci", "tar", "compress"],
  ["containers_conf", "http", "merge", "enroot", "tools"],
  ["transport", "store", "layer", "squashfs"],
  ["pack"],
  ["image"],
  ["container", "copy", "share"],
  ["definition", "doctor", "sync"],
  ["mod"],
];
/** Neighbours on one level that one room may import as well. */
const neighbours: Readonly<Record<string, readonly string[]>> = {
  text: ["errors"],
  http: ["containers_conf"],
  layer: ["store"],
};
/** Rooms that see less than all levels above them: the public API is enough for a command. */
const narrow: Readonly<Record<string, readonly string[]>> = {
  command: ["mod", "errors", "types", "text"],
  parts: ["command"],
  cli: ["command", "container", "mod", "errors", "types", "text", "system"],
};
const directions = allowedImports();

function allowedImports(): Readonly<Record<string, readonly string[]>> {
  const allowed: Record<string, readonly string[]> = { ...narrow };
  for (const [level, rooms] of levels.entries()) {
    const lower = levels.slice(0, level).flat();
    for (const room of rooms) allowed[room] = [...lower, ...(neighbours[room] ?? [])];
  }
  return allowed;
}

/** Commands that become another program load no more of the library than they need. */
const quick =
  /^lib\/command\/(run_start|run_exec|batch|run|run_part)\.ts -> lib\/(config\/settings|system\/(host\/environment|process\/prepare_start)|definition\/find_runnable|container\/(start|exec|child|within|hooks)\/\w+)\.ts$/;

/** Plain data that every room may know, and that loads nothing: versions, schemes, settings. */
const facts =
  /^lib\/(system\/version\.ts|reference\/(scheme_facts|docker_hub)\.ts|config\/table\/)/;

interface SourceFile {
  readonly path: string;
  readonly room: string;
  readonly text: string;
  /** The text without comments, strings kept. */
  readonly code: string;
}

test("imports between rooms point one way", () => {
  const wrong: string[] = [];
  for (const file of sources()) {
    const allowed = directions[file.room];
    assert.ok(allowed, `${file.path}: the room ${file.room} is not in the list of rooms`);
    for (const path of projectImportsOf(file)) {
      const room = roomOf(path);
      if (facts.test(path)) continue;
      if (room === file.room || allowed.includes(room)) continue;
      const line = `${file.path} -> ${path}`;
      if (!quick.test(line)) wrong.push(line);
    }
  }
  assert.deepEqual(wrong, []);
});

test("imports name their file's extension and node's modules by their scheme", () => {
  const wrong: string[] = [];
  for (const file of [...sources(), ...testSources()]) {
    for (const target of importsOf(file)) {
      const fine = target.startsWith(".") ? target.endsWith(".ts") : !nodeModules.has(target);
      if (!fine) wrong.push(`${file.path} -> ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("facts import nothing but facts", () => {
  const wrong = sources().filter((file) => facts.test(file.path)).flatMap((file) =>
    projectImportsOf(file).filter((path) => !facts.test(path)).map((path) =>
      `${file.path} -> ${path}`
    )
  );
  assert.deepEqual(wrong, []);
});

test("asking for help loads nothing of the library", () => {
  // What `cli.ts` imports, later or at once, it always needs; a command's own work it does not.
  const loaded = loadedBy("cli.ts", (file) => file.path === "cli.ts");
  assert.ok(loaded.has("lib/command/import.ts"), "the commands are not found");
  const allowed =
    /^(cli\.ts|lib\/errors\.ts|lib\/text\/|lib\/command\/|lib\/system\/(host\/\w+|files\/real_names|process\/(signal_masks|stop_signals|prepare_start))\.ts)/;
  const wrong = [...loaded].filter((path) => !allowed.test(path) && !facts.test(path));
  assert.deepEqual(wrong, []);
  const printers = [...loaded].filter((path) => /^lib\/command\/(completion|manual)\//.test(path));
  assert.deepEqual(printers, []);
});

test("only the room system touches the runtime", () => {
  const touches =
    /\bBun\.|\bDeno\.|\bprocess\.env\b|["'](bun(:\w+)?|node:(child_process|worker_threads|cluster))["']|\bnew Worker\b/;
  const wrong = sources()
    // A worker's own side talks to its parent, whichever room its work belongs to.
    .filter((file) => file.room !== "system" && !file.path.endsWith("_worker.ts"))
    .flatMap((file) => linesWith(file, touches));
  assert.deepEqual(wrong, []);
});

test("nothing is exported as a default", () => {
  const wrong = [...sources(), ...testSources()].flatMap((file) =>
    linesWith(file, /^\s*export\s+default\b|\bas default\b/)
  );
  assert.deepEqual(wrong, []);
});

test("files stay short and are named in snake case", () => {
  const wrong: string[] = [];
  for (const file of [...sources(), ...testSources()]) {
    const lines = file.text.split("\n").length - 1;
    if (lines > maxLines) wrong.push(`${file.path}: ${lines} lines`);
    if (!/(^|\/)[a-z0-9]+(_[a-z0-9]+)*\.ts$/.test(file.path)) wrong.push(`${file.path}: its name`);
  }
  assert.deepEqual(wrong, []);
});

test("no file names the host of a package registry", () => {
  // A machine's own setup says where packages come from; lock files hold digests, but no addresses.
  const hosts = ["npmjs org", "npmjs com", "yarnpkg com", "npmmirror com", "jsr io", "debian org"]
    .map((words) => words.replace(" ", "."));
  const wrong = projectFiles().flatMap((path) => {
    const text = readFileSync(join(root, path), "latin1");
    return hosts.filter((host) => text.includes(host)).map((host) => `${path}: ${host}`);
  });
  const locks = ["package-lock.json", "bun.lock", "deno.lock"];
  wrong.push(
    ...locks.filter((path) => /"resolved"|\.tgz/.test(readFileSync(join(root, path), "utf8"))),
  );
  assert.deepEqual(wrong, []);
});

const nodeModules = new Set(
  ("assert buffer child_process crypto dns events fs fs/promises http https net os path process " +
    "readline stream stream/promises test tls url util worker_threads zlib").split(" "),
);

function sources(): SourceFile[] {
  return ["mod.ts", "cli.ts", ...typescriptBelow("lib")].flatMap((path) => {
    const file = readSource(path);
    return file === undefined ? [] : [file];
  });
}

function testSources(): SourceFile[] {
  return [...typescriptBelow("test"), ...typescriptBelow("scripts")]
    .flatMap((path) => readSource(path) ?? []);
}

/** All files but those that are built or installed. */
function projectFiles(): string[] {
  const skipped = /^(\.git|node_modules|build|dist|sample)$/;
  return readdirSync(root, { withFileTypes: true }).filter(({ name }) => !skipped.test(name))
    .flatMap((top) =>
      top.isDirectory()
        ? readdirSync(join(root, top.name), { recursive: true, withFileTypes: true })
        : [top]
    )
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

function typescriptBelow(directory: string): string[] {
  return readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith("test/fixtures/"))
    .sort();
}

function readSource(path: string): SourceFile | undefined {
  let text: string;
  try {
    text = readFileSync(join(root, path), "utf8");
  } catch {
    return undefined;
  }
  return { path, room: roomOf(path), text, code: withoutComments(text) };
}

/** `lib/tar/reader.ts` -> `tar`; `lib/types.ts` -> `types`; `mod.ts` -> `mod`. */
function roomOf(path: string): string {
  const parts = path.replace(/\.ts$/, "").split("/");
  return parts[0] === "lib" ? parts[1]! : parts[0]!;
}

function importsOf(file: SourceFile): string[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(\s*|^\s*import\s+|\bnew URL\(\s*)["']([^"'\n]+)["']/gm;
  return [...file.code.matchAll(pattern)].map((match) => match[1]!)
    .filter((target) => !/^\.\.?\/?$|^https?:/.test(target))
    .filter((target) =>
      file.path.startsWith("lib/") || !target.startsWith("../") || isCode(target)
    );
}

/** Paths of the project's modules that a file imports, or starts as worker threads by their name. */
function projectImportsOf(file: SourceFile): string[] {
  const imported = importsOf(file).filter((target) => target.startsWith("."))
    .map((target) => normalize(join(dirname(file.path), target)));
  const workers = [...file.code.matchAll(/\bstartWorker\(\s*["'](lib\/[^"']+)["']/g)]
    .map((match) => match[1]!);
  return [...imported, ...workers];
}

/** What starting `path` loads: what is imported for its values, and not by `import()`. */
function loadedBy(path: string, withDynamic: (file: SourceFile) => boolean): Set<string> {
  const loaded = new Set<string>();
  const add = (current: string) => {
    const file = readSource(current);
    if (file === undefined || loaded.has(current)) return;
    loaded.add(current);
    // The second stage of a start is no part of any other command.
    const code = withDynamic(file)
      ? file.code.replace(/\bimport\(\s*"\.\/lib\/container\/[^)]*\)/g, "")
      : file.code.replace(/\bimport\s*\([^)]*\)/g, "");
    const values = code.replace(/^(import|export) type\b[^;]*;/gm, "");
    for (const target of importsOf({ ...file, code: values })) {
      if (target.startsWith(".")) add(normalize(join(dirname(current), target)));
    }
  };
  add(path);
  return loaded;
}

function isCode(target: string): boolean {
  return /\.[cm]?[jt]s$/.test(target);
}

function linesWith(file: SourceFile, pattern: RegExp): string[] {
  return file.code.split("\n").flatMap((line, index) =>
    pattern.test(line) ? [`${file.path}:${index + 1}: ${line.trim()}`] : []
  );
}

/** Comments become blanks, line by line; a string that holds `//` or `/*` stays. */
function withoutComments(text: string): string {
  const token =
    /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  return text.replace(
    token,
    (match) => match.startsWith("/") ? match.replace(/[^\n]/g, " ") : match,
  );
}
