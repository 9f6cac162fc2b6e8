/** Where the kernel lets users mount no overlay, the host's fuse-overlayfs takes its place. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { bun } from "../helpers/denroot_command.ts";
import { findProgram, runProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("fuse-overlayfs");
const module = new URL("../../lib/container/within/mount_writable_layer.ts", import.meta.url);

test("fuse-overlayfs takes what is written, and ends with its mount namespace", {
  skip: findProgram("fuse-overlayfs") === undefined || !existsSync("/dev/fuse")
    ? "there is no fuse-overlayfs, or no /dev/fuse"
    : false,
}, async () => {
  const [lower, upper] = [join(scratch, "lower"), join(scratch, "upper")];
  mkdirSync(lower);
  writeFileSync(join(lower, "below"), "below");
  const script = join(scratch, "script.ts");
  writeFileSync(
    script,
    `import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { mountByProgram } from ${JSON.stringify(module.pathname)};
const [lower, upper, scratch] = process.argv.slice(2);
const root = mountByProgram(lower, upper, { namespaces: { user: undefined }, runtimePath: scratch });
writeFileSync(root + "/new", readFileSync(root + "/below"));
renameSync(root + "/below", root + "/moved");
`,
  );
  const words = ["-Urm", bun.command[0]!, script, lower, upper, scratch];
  const { exitCode, stderr } = await runProgram("unshare", words);
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(readdirSync(lower), ["below"]);
  assert.deepEqual(readdirSync(join(upper, "upper")).sort(), ["below", "moved", "new"]);
  assert.deepEqual(readdirSync(join(upper, "root")), []);
});
