/** Settings: defaults, files, the environment, and errors for bad values. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { meansNo } from "../../lib/config/means_no.ts";
import { DenrootError } from "../../lib/errors.ts";
import { entry, type Env, load, root } from "./settings_fixture.ts";

test("the defaults are enroot's, except for packing and retries", async () => {
  const settings = await load();
  assert.equal(settings.configPath, "/home/me/.config/enroot");
  assert.equal(settings.cachePath, "/home/me/.cache/enroot");
  assert.equal(settings.dataPath, "/home/me/.local/share/enroot");
  assert.equal(settings.runtimePath, "/run/enroot");
  assert.equal(settings.tempPath, "/tmp");
  assert.equal(settings.squashOptions, "-comp zstd -Xcompression-level 1");
  assert.equal(settings.maxConnections, 10);
  assert.equal(settings.connectTimeoutMs, 30_000);
  assert.equal(settings.transferTimeoutMs, 0);
  assert.equal(settings.transferRetries, 3);
  assert.equal(settings.allowHttp, false);
  assert.equal(settings.forceOverride, false);
  assert.equal(settings.sourceDateEpoch, undefined);
  assert.equal(settings.maxImageBytes, 2 ** 40);
  assert.equal(settings.mksquashfs, undefined);
  assert.equal(settings.unsquashfs, undefined);
  assert.deepEqual(settings.tls, {
    curlBundle: undefined,
    certFile: undefined,
    certDir: undefined,
  });
  assert.deepEqual(settings.proxy, { http: undefined, https: undefined, all: undefined, no: "" });
  assert(settings.maxProcessors >= 1 && settings.maxProcessors <= availableParallelism());
  assert.equal(entry(settings, "ENROOT_TRANSFER_RETRIES").origin, "default");
});

test("XDG directories and TMPDIR move the defaults, empty ones do not", async () => {
  const settings = await load({
    XDG_CONFIG_HOME: "/c",
    XDG_CACHE_HOME: "/k",
    XDG_DATA_HOME: "/d",
    XDG_RUNTIME_DIR: "/r",
    TMPDIR: "/t",
  });
  assert.equal(settings.configPath, "/c/enroot");
  assert.equal(settings.cachePath, "/k/enroot");
  assert.equal(settings.dataPath, "/d/enroot");
  assert.equal(settings.runtimePath, "/r/enroot");
  assert.equal(settings.tempPath, "/t");
  assert.equal((await load({ XDG_CACHE_HOME: "" })).cachePath, "/home/me/.cache/enroot");
});

test("without HOME the account's directory counts", async () => {
  const settings = await load({ HOME: undefined });
  assert.match(settings.cachePath, /^\/.*\.cache\/enroot$/);
});

test("the environment wins over enroot.conf, and earlier files win over later ones", async () => {
  const files = {
    "enroot.conf": "ENROOT_MAX_CONNECTIONS 1\nENROOT_CACHE_PATH /from/conf\n" +
      "ENROOT_MAX_CONNECTIONS 2\n",
    "enroot.conf.d/10-a.conf": "ENROOT_CACHE_PATH /from/drop-in\nENROOT_TEMP_PATH=/tmp/a\n",
    "enroot.conf.d/20-b.conf": "ENROOT_TEMP_PATH /tmp/b\n",
    "enroot.conf.d/README": "ENROOT_ALLOW_HTTP yes\n",
  };
  const settings = await load({}, files);
  assert.equal(settings.maxConnections, 1);
  assert.equal(settings.cachePath, "/from/conf");
  assert.equal(settings.tempPath, "/tmp/a");
  assert.equal(settings.allowHttp, false);
  assert.match(entry(settings, "ENROOT_CACHE_PATH").origin, /\/enroot\.conf$/);
  assert.match(entry(settings, "ENROOT_TEMP_PATH").origin, /\/10-a\.conf$/);

  const overridden = await load({ ENROOT_CACHE_PATH: "/from/env", ENROOT_TEMP_PATH: "" }, files);
  assert.equal(overridden.cachePath, "/from/env");
  assert.equal(entry(overridden, "ENROOT_CACHE_PATH").origin, "environment");
  assert.equal(overridden.tempPath, "/tmp/a", "an empty variable counts as not set");
});

test("lines of a file have enroot's forms: spaces, =, tabs, comments, quotes, commands", async () => {
  const settings = await load({ XDG_RUNTIME_DIR: "/run/user/7" }, {
    "enroot.conf": [
      "# comment",
      "#ENROOT_ALLOW_HTTP yes",
      "",
      "  ENROOT_RUNTIME_PATH\t${XDG_RUNTIME_DIR}/mine",
      "ENROOT_CACHE_PATH = ~/my-cache",
      "ENROOT_CONFIG_PATH=${ENROOT_CACHE_PATH}/conf",
      "ENROOT_DATA_PATH /data/$(id -u)",
      'ENROOT_SQUASH_OPTIONS "-comp zstd  -Xcompression-level 1"',
      "ENROOT_MAX_CONNECTIONS `echo 4`",
      "ENROOT_TEMP_PATH ${TMPDIR:-/var/tmp} # where there is room\r",
      "https_proxy http://proxy:3128",
      "SSL_CERT_FILE /ca.pem",
      "NVIDIA_VISIBLE_DEVICES void",
      "PATH /evil",
      "enroot_x y",
      "export ENROOT_ALLOW_HTTP=yes",
    ].join("\n"),
  });
  assert.equal(settings.runtimePath, "/run/user/7/mine");
  assert.equal(settings.cachePath, "/home/me/my-cache");
  assert.equal(settings.configPath, "/home/me/my-cache/conf");
  assert.equal(settings.dataPath, `/data/${process.getuid!()}`);
  assert.equal(settings.squashOptions, "-comp zstd  -Xcompression-level 1");
  assert.equal(settings.maxConnections, 4);
  assert.equal(settings.tempPath, "/var/tmp");
  assert.equal(settings.proxy.https, "http://proxy:3128");
  assert.equal(settings.tls.certFile, "/ca.pem");
  assert.equal(settings.allowHttp, false);
  assert.equal(settings.environment.NVIDIA_VISIBLE_DEVICES, "void");
  assert.equal(settings.environment.PATH, process.env.PATH);
  assert.equal(settings.environment.https_proxy, "http://proxy:3128");
});

test("a line that uses an unset variable has no effect, and info says why", async () => {
  for (const value of ["${XDG_NOWHERE}/enroot", "${XDG_NOWHERE}/$(id -u)"]) {
    const settings = await load({}, { "enroot.conf": `ENROOT_CACHE_PATH ${value}\n` });
    assert.equal(settings.cachePath, "/home/me/.cache/enroot");
    assert.match(entry(settings, "ENROOT_CACHE_PATH").note ?? "", /XDG_NOWHERE, which is not set/);
  }
});

test("the older names work, and the newer ones win over them", async () => {
  const older = await load({ ENROOT_SQUASH_OPTS: "-comp gzip", ENROOT_GZIP_PROG: "zcat" });
  assert.equal(older.squashOptions, "-comp gzip");
  assert.equal(entry(older, "ENROOT_GZIP_PROGRAM").value, "zcat");
  assert.match(entry(older, "ENROOT_SQUASH_OPTIONS").note ?? "", /older name ENROOT_SQUASH_OPTS/);
  const both = await load({ ENROOT_SQUASH_OPTS: "-comp gzip", ENROOT_SQUASH_OPTIONS: "-comp xz" });
  assert.equal(both.squashOptions, "-comp xz");
  const file = { "enroot.conf": "ENROOT_SQUASH_OPTIONS -comp lz4\n" };
  assert.equal(
    (await load({ ENROOT_SQUASH_OPTS: "-comp gzip" }, file)).squashOptions,
    "-comp gzip",
  );
  const olderFile = { "enroot.conf": "ENROOT_SQUASH_OPTS -comp lz4\n" };
  assert.equal((await load({}, olderFile)).squashOptions, "-comp lz4");
});

test("the words for yes and no are enroot's", async () => {
  for (
    const no of [
      "n",
      "no",
      "N",
      "No",
      "NO",
      "nO".toLowerCase(),
      "f",
      "F",
      "false",
      "False",
      "FALSE",
    ]
  ) {
    assert(meansNo(no), no);
    assert.equal((await load({ ENROOT_ALLOW_HTTP: no })).allowHttp, false, no);
  }
  for (const yes of ["y", "yes", "true", "1", "on", "0", "nope", "fALSE", "never"]) {
    assert(!meansNo(yes), yes);
    assert.equal((await load({ ENROOT_ALLOW_HTTP: yes })).allowHttp, true, yes);
  }
  const zero = await load({ ENROOT_FORCE_OVERRIDE: "0" });
  assert.match(entry(zero, "ENROOT_FORCE_OVERRIDE").note ?? "", /means yes/);
  const file = { "enroot.conf": "ENROOT_ALLOW_HTTP yes\n" };
  assert.equal((await load({ ENROOT_ALLOW_HTTP: "no" }, file)).allowHttp, false);
});

test("short names are Docker Hub's unless the setting says otherwise", async () => {
  assert.equal((await load({})).shortNames, false);
  assert.equal((await load({}, { "enroot.conf": "DENROOT_SHORT_NAMES yes\n" })).shortNames, true);
});

test("0 stands for no limit", async () => {
  const settings = await load({
    ENROOT_MAX_PROCESSORS: "0",
    ENROOT_MAX_CONNECTIONS: "0",
    ENROOT_CONNECT_TIMEOUT: "0",
    ENROOT_TRANSFER_TIMEOUT: "0",
    ENROOT_TRANSFER_RETRIES: "0",
  });
  assert(settings.maxProcessors >= 1);
  assert.equal(settings.maxConnections, 64);
  assert.equal(settings.connectTimeoutMs, 0);
  assert.equal(settings.transferTimeoutMs, 0);
  assert.equal(settings.transferRetries, 0);
});

test("numbers, sizes and times become numbers", async () => {
  const settings = await load({
    ENROOT_MAX_PROCESSORS: "3",
    ENROOT_CONNECT_TIMEOUT: "2.5",
    SOURCE_DATE_EPOCH: "1700000000",
    DENROOT_MAX_IMAGE_BYTES: "100G",
    DENROOT_MKSQUASHFS: "/opt/mksquashfs",
    DENROOT_UNSQUASHFS: "/opt/unsquashfs",
  });
  assert.equal(settings.maxProcessors, 3);
  assert.equal(settings.connectTimeoutMs, 2500);
  assert.equal(settings.sourceDateEpoch, 1_700_000_000);
  assert.equal(settings.maxImageBytes, 100 * 2 ** 30);
  assert.equal(settings.mksquashfs, "/opt/mksquashfs");
  assert.equal(settings.unsquashfs, "/opt/unsquashfs");
  assert.equal((await load({ DENROOT_MAX_IMAGE_BYTES: "123" })).maxImageBytes, 123);
  assert.equal((await load({ DENROOT_MAX_IMAGE_BYTES: "2KiB" })).maxImageBytes, 2048);
});

test("the memory for reading ahead grows with the processors that denroot uses", async () => {
  for (
    const [processors, megabytes] of [["1", 16], ["2", 16], ["3", 96], ["16", 512], [
      "64",
      2048,
    ]] as const
  ) {
    const { maxAheadBytes } = await load({ ENROOT_MAX_PROCESSORS: processors });
    assert.equal(maxAheadBytes, megabytes * 2 ** 20, processors);
  }
  const set = { ENROOT_MAX_PROCESSORS: "16", DENROOT_MAX_AHEAD_BYTES: "100M" };
  assert.equal((await load(set)).maxAheadBytes, 100 * 2 ** 20);
});

test("the lower-case name of a proxy wins over the upper-case one", async () => {
  const settings = await load({
    HTTP_PROXY: "http://upper",
    https_proxy: "http://lower",
    HTTPS_PROXY: "http://upper",
    ALL_PROXY: "socks5://x",
    NO_PROXY: "localhost,10.0.0.0/8",
  });
  assert.deepEqual(settings.proxy, {
    http: "http://upper",
    https: "http://lower",
    all: "socks5://x",
    no: "localhost,10.0.0.0/8",
  });
});

const WRONG: ReadonlyArray<[name: string, value: string]> = [
  ["ENROOT_MAX_PROCESSORS", "many"],
  ["ENROOT_MAX_PROCESSORS", "-1"],
  ["ENROOT_MAX_PROCESSORS", "1.5"],
  ["ENROOT_MAX_PROCESSORS", "70000"],
  ["ENROOT_MAX_CONNECTIONS", "10 " + "x"],
  ["ENROOT_CONNECT_TIMEOUT", "30s"],
  ["ENROOT_CONNECT_TIMEOUT", "1e3"],
  ["ENROOT_TRANSFER_TIMEOUT", "-5"],
  ["ENROOT_TRANSFER_RETRIES", "three"],
  ["ENROOT_TRANSFER_TIMEOUT", "2000001"],
  ["SOURCE_DATE_EPOCH", "yesterday"],
  ["SOURCE_DATE_EPOCH", "4294967296"],
  ["DENROOT_MAX_IMAGE_BYTES", "0"],
  ["DENROOT_MAX_IMAGE_BYTES", "lots"],
  ["DENROOT_MAX_IMAGE_BYTES", "99999999999T"],
];

for (const [name, value] of WRONG) {
  test(`the error for ${name}=${value} names its place and the rule`, async () => {
    await assert.rejects(load({ [name]: value }), (error: unknown) => {
      assert(error instanceof DenrootError);
      assert.equal(error.code, "settings");
      assert(error.message.startsWith(`${name} is "${value}" in the environment`));
      assert.match(error.message, /but must be /);
      return true;
    });
  });
}

test("the error for a bad value names the file, and for a bad line its number too", async () => {
  await assert.rejects(
    load({}, { "enroot.conf": "ENROOT_MAX_PROCESSORS few\n" }),
    (error: unknown) =>
      error instanceof DenrootError && /"few" in .*enroot\.conf,/.test(error.message),
  );
  await assert.rejects(
    load({}, { "enroot.conf.d/x.conf": '\nENROOT_CACHE_PATH "/open\n' }),
    (error: unknown) =>
      error instanceof DenrootError && /x\.conf, line 2, .*not closed/.test(error.message),
  );
  await assert.rejects(
    load({}, { "enroot.conf": "ENROOT_CACHE_PATH $(exit 3)$((\n" }),
    (error: unknown) =>
      error instanceof DenrootError && /line 1, .*shell failed/.test(error.message),
  );
});

test("an unreadable file is an error, and a missing file is not", async () => {
  await load({ ENROOT_SYSCONF_PATH: "/nonexistent/enroot" });
  await assert.rejects(
    load({}, { "enroot.conf/not-a-file": "" }),
    (error: unknown) => error instanceof DenrootError && error.code === "settings",
  );
});

test("passwords in proxies show neither in entries nor in errors", async () => {
  for (
    const proxy of [
      "http://me:hunter2@proxy:3128",
      "me:hunter2@proxy:3128",
      "http://me:hun/hunter2@p",
    ]
  ) {
    const settings = await load({ https_proxy: proxy });
    assert.equal(settings.proxy.https, proxy);
    assert.doesNotMatch(JSON.stringify(settings.entries), /hunter2/);
    assert.match(entry(settings, "https_proxy").value, /\*\*\*@p/);
  }
  await assert.rejects(
    load({ ENROOT_MAX_CONNECTIONS: "http://me:hunter2@proxy" }),
    (error: unknown) => error instanceof DenrootError && !error.message.includes("hunter2"),
  );
});

test("a directory of settings that says no is not set, as in enroot", async () => {
  mkdirSync(join(root, "no"), { recursive: true });
  writeFileSync(join(root, "no/enroot.conf"), "ENROOT_MAX_CONNECTIONS 7\n");
  const before = process.cwd();
  process.chdir(root);
  try {
    const settings = await load({ ENROOT_SYSCONF_PATH: "no" });
    assert.match(settings.sysconfPath, /^\/.*etc\/enroot$/);
    assert.notEqual(settings.maxConnections, 7);
  } finally {
    process.chdir(before);
  }
});

test("info says what holds while a setting without a default is not set", async () => {
  const note = async (env: Env) => entry(await load(env), "DENROOT_MKSQUASHFS").note;
  assert.equal(await note({}), "denroot's own, else the one on PATH");
  assert.equal(await note({ DENROOT_MKSQUASHFS: "/opt/mksquashfs" }), undefined);
});

test("info lists settings without effect with a note, and enroot's other variables that are set", async () => {
  const settings = await load({ ENROOT_HOOK_TRACE: "no", ENROOT_GZIP_PROGRAM: "pigz" });
  assert.match(entry(settings, "ENROOT_GZIP_PROGRAM").note ?? "", /no effect/);
  assert.match(entry(settings, "ENROOT_ZSTD_OPTIONS").note ?? "", /no effect/);
  assert.match(entry(settings, "ENROOT_HOOK_TRACE").note ?? "", /no effect/);
  assert.match(entry(settings, "ENROOT_TRANSFER_RETRIES").note ?? "", /enroot's default is 0/);
});
