/** The executable needs nothing: an ordinary user imports in a root that holds only glibc and /proc. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { BareRoot, type BareRootOptions } from "../helpers/bare_root.ts";
import { useDenroot } from "../helpers/denroot_command.ts";
import { writeImage } from "../helpers/image_fixture.ts";
import { type Registry, startRegistry } from "../helpers/registry_server.ts";
import { releaseFile } from "../helpers/release.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { directory, file, link, symlink } from "../helpers/tar_fixture.ts";

const scratch = scratchDirectory("bare");
const executable = releaseFile("denroot");
const here = useDenroot({ name: "the executable", command: [executable] });
const root = await BareRoot.make(scratch, executable);
const work = root.userDirectory("work");
const home = root.userDirectory("home");
const temporary = root.userDirectory("temporary");
const open = await startRegistry();
const secured = await startRegistry({ tls: true });
after(() => Promise.all([open.stop(), secured.stop()]));
addImage();
const authority = join(scratch, "ca.crt");
copyFileSync(secured.caFile!, authority);
/** The images that the same executable makes in this machine's own root. */
const expected = new Map<Registry, string>();
for (const registry of [open, secured]) {
  const imported = await here.import(registry.uri("bare/app"), {
    env: registry === secured ? { SSL_CERT_FILE: authority, ENROOT_ALLOW_HTTP: undefined } : {},
  });
  expected.set(registry, sha256Of(imported));
}
const plainHttp = { ENROOT_ALLOW_HTTP: "yes" };

/** Whether the kernel (6.3 or later) can refuse programs in memory, and we can tell it to. */
const canRefuseMemory = process.getuid?.() === 0 && existsSync("/proc/sys/vm/memfd_noexec");

interface Case {
  readonly title: string;
  readonly options: BareRootOptions;
  readonly args?: readonly string[];
  readonly registry?: Registry;
  /** The warning that the user sees. */
  readonly warning?: RegExp;
}

const noCache =
  /^\[WARN\] The cache \/\S*\.cache\/enroot cannot be used \(.*\): layers are not kept\. Set ENROOT_CACHE_PATH to .*\n/;
const readOnlyCache =
  /^\[WARN\] The cache \/\S*\.cache\/enroot cannot be written \(.*\): layers that can be read there are used/;
const homeThere = { [home]: "/home/user" };
const cases: readonly Case[] = [
  {
    title: "a home, and no /tmp, /etc, /bin",
    options: { env: { ...plainHttp, HOME: "/home/user" }, writable: homeThere },
  },
  { title: "HOME not set", options: { env: plainHttp }, warning: noCache },
  {
    title: "a HOME that is read-only",
    options: { env: { ...plainHttp, HOME: "/home/user" }, readable: homeThere },
    warning: readOnlyCache,
  },
  {
    title: "a HOME that is not there",
    options: { env: { ...plainHttp, HOME: "/home/other" } },
    warning: noCache,
  },
  {
    title: "a /tmp and a home that are mounted noexec, and --verify",
    options: {
      env: { ...plainHttp, HOME: "/home/user" },
      noexec: ["/tmp", "/home/user"],
    },
    args: ["--verify"],
  },
  {
    title: "programs allowed only in /tmp",
    options: {
      env: { ...plainHttp, HOME: "/home/user" },
      noexec: ["/home/user"],
      noexecMemory: true,
      writable: { [temporary]: "/tmp" },
    },
    args: ["--verify"],
  },
  {
    title: "a private authority's certificate",
    options: {
      env: { HOME: "/home/user", SSL_CERT_FILE: "/ca.crt" },
      writable: homeThere,
      readable: { [authority]: "/ca.crt" },
    },
    registry: secured,
  },
];

for (const { title, options, args = [], registry = open, warning } of cases) {
  test(`imports with ${title}`, async (t) => {
    if (options.noexecMemory && !canRefuseMemory) return t.skip("needs root and Linux 6.3");
    const uri = registry.uri("bare/app");
    const result = await root.run(["import", ...args, "--output", "app.sqsh", uri], {
      ...options,
      writable: { ...options.writable, [work]: "/work" },
    });
    assert.equal(result.exitCode, 0, result.stderr);
    if (warning === undefined) assert.doesNotMatch(result.stderr, /WARN|ERROR/);
    else assert.match(result.stderr, warning);
    assert.deepEqual(readdirSync(work), ["app.sqsh"]);
    assert.equal(sha256Of(join(work, "app.sqsh")), expected.get(registry));
    assert.deepEqual(readdirSync(temporary), []);
    rmSync(join(work, "app.sqsh"));
  });
}

test("without the private authority's certificate nothing is fetched", async () => {
  const result = await root.run(["import", secured.uri("bare/app")], {
    env: { HOME: "/home/user" },
    writable: { [home]: "/home/user", [work]: "/work" },
  });
  assert.equal(result.exitCode, 1);
  assert.match(result.stderr, /certificate/i);
  assert.deepEqual(readdirSync(work), []);
});

function addImage(): void {
  const text = Array.from({ length: 20_000 }, (_, line) => `line ${line * line}\n`).join("");
  const made = writeImage(join(scratch, "layout"), {
    layers: [
      [directory("etc"), file("etc/text", text), link("etc/same", "etc/text")],
      { tar: [file("usr/second", text.slice(99)), symlink("bin", "usr/bin")], compression: "zstd" },
    ],
    config: { Env: ["A=b"], Cmd: ["/bin/sh"] },
  });
  for (const registry of [open, secured]) registry.add(made, "bare/app");
}

function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
