/** Which files of sites and users are read, in which order, and which are refused. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readConfiguration } from "../../../lib/container/plan/configuration.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const root = scratchDirectory("configuration");
let count = 0;

/** A directory with these files. */
function directory(files: Readonly<Record<string, string>>): string {
  const path = join(root, String(count++));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(path, name, ".."), { recursive: true });
    writeFileSync(join(path, name), text, { mode: name.endsWith(".sh") ? 0o755 : 0o644 });
  }
  return path;
}

test("files are read by name, those of the system and of the user apart", () => {
  const sysconfPath = directory({
    "mounts.d/20-b.fstab": "b",
    "mounts.d/10-a.fstab": "a",
    "mounts.d/.hidden.fstab": "x",
    "mounts.d/README": "x",
    "environ.d/a.env": "A=1",
    "hooks.d/10-a.sh": "x",
    "hooks.d/20-b.sh": "",
  });
  writeFileSync(join(sysconfPath, "hooks.d/30-c.sh"), "x", { mode: 0o644 });
  mkdirSync(join(sysconfPath, "mounts.d/directory.fstab"));
  execFileSync("mkfifo", [join(sysconfPath, "mounts.d/fifo.fstab")]);
  symlinkSync("10-a.fstab", join(sysconfPath, "mounts.d/30-link.fstab"));
  symlinkSync("nowhere", join(sysconfPath, "mounts.d/40-link.fstab"));
  const { system, user } = readConfiguration({ sysconfPath, configPath: join(root, "missing") });
  assert.deepEqual(system.mounts.map(({ name, text }) => [name, text]), [
    ["10-a.fstab", "a"],
    ["20-b.fstab", "b"],
    ["30-link.fstab", "a"],
  ]);
  assert.equal(system.environment[0]!.path, join(sysconfPath, "environ.d/a.env"));
  assert.deepEqual(
    system.hooks.map(({ name, isExecutable, isEmpty }) => [name, isExecutable, isEmpty]),
    [
      ["10-a.sh", true, false],
      ["20-b.sh", true, true],
      ["30-c.sh", false, false],
    ],
  );
  assert.deepEqual(user, { environment: [], mounts: [], hooks: [] });
});

test("a file that is too large, and a directory of too many files, are refused", () => {
  const large = directory({ "environ.d/a.env": "#".repeat(2 ** 20 + 1) });
  assert.throws(() => readConfiguration({ sysconfPath: large, configPath: large }), {
    code: "settings",
    message: /environ\.d\/a\.env cannot be read: it has \d+ bytes, more than 1 MiB/,
  });
  const many = directory(
    Object.fromEntries(Array.from({ length: 1001 }, (_, at) => [`mounts.d/${at}.fstab`, ""])),
  );
  assert.throws(() => readConfiguration({ sysconfPath: many, configPath: many }), {
    code: "settings",
    message: /mounts\.d holds 1001 files "\*\.fstab", more than 1000/,
  });
});
