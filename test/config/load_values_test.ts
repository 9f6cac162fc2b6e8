/** Which files of settings are read, in which order, and which are refused. */

import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { entry, load, root } from "./settings_fixture.ts";

test("drop-in files are read by name, without hidden ones", async () => {
  const files = Object.fromEntries(
    [".0", ...Array.from({ length: 40 }, (_, at) => String(10 + (at + 17) * 29 % 40))]
      .map((name) => [
        `enroot.conf.d/${name}.conf`,
        `ENROOT_MAX_CONNECTIONS ${Number(name.slice(-2)) + 1}\n`,
      ]),
  );
  assert.equal((await load({}, files)).maxConnections, 11);
});

test("a file that is too large, and a directory of too many files, are refused", async () => {
  const large = { "enroot.conf": "#".repeat(2 ** 20 + 1) };
  await assert.rejects(load({}, large), { code: "settings", message: /more than 1 MiB/ });
  const many = Object.fromEntries(
    Array.from({ length: 1001 }, (_, index) => [`enroot.conf.d/${index}.conf`, ""]),
  );
  await assert.rejects(load({}, many), { code: "settings", message: /more than 1000 files/ });
});

test("the shell that expands a value runs no file of the user's", async () => {
  const [script, trace] = [join(root, "bash-env"), join(root, "trace")];
  writeFileSync(script, `touch ${trace}\n`);
  const files = { "enroot.conf": "ENROOT_TEMP_PATH $(echo /from/shell)\n" };
  const settings = await load({ BASH_ENV: script, ENV: script }, files);
  assert.equal(settings.tempPath, "/from/shell");
  assert.ok(!existsSync(trace));
});

test("settings in a script win over the environment and over files", async () => {
  const env = { ENROOT_REMAP_ROOT: "n", ENROOT_ROOTFS_WRITABLE: "y", ENROOT_TEMP_PATH: "/env" };
  const files = { "enroot.conf": "ENROOT_DATA_PATH /file\n" };
  const settings = await load(env, files, [
    "ENROOT_REMAP_ROOT=y",
    " ENROOT_ROOTFS_WRITABLE=",
    'ENROOT_DATA_PATH="${ENROOT_TEMP_PATH}/data"',
    "ENROOT_ROOTFS=$(echo a b).sqsh",
  ]);
  assert.equal(settings.remapRoot, true);
  assert.equal(settings.rootfsWritable, false);
  assert.equal(settings.dataPath, "/env/data");
  assert.equal(settings.environment.ENROOT_ROOTFS, "a b.sqsh");
  assert.equal(entry(settings, "ENROOT_DATA_PATH").origin, "/script");
});

test("a mistake in a script's setting names the script and the line", async () => {
  await assert.rejects(load({}, {}, ["ENROOT_REMAP_ROOT=y", 'ENROOT_DATA_PATH="']), {
    code: "settings",
    message: /ENROOT_DATA_PATH in \/script, line 2/,
  });
});

test("a setting with a few choices takes no other", async () => {
  assert.equal((await load({ DENROOT_IMAGE_MOUNTS: "none" })).imageMounts, "none");
  await assert.rejects(load({ DENROOT_IMAGE_MOUNTS: "some" }), {
    code: "settings",
    message: /DENROOT_IMAGE_MOUNTS.*one of own, all, none/,
  });
});
