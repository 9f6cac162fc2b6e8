/** `info` shows settings, squashfs tools and licences. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { formatComponents, formatInfo } from "../../lib/command/info.ts";
import { runInProcess as run } from "./command_context.ts";

const built = existsSync(
  fileURLToPath(new URL("../../build/squashfs/components.json", import.meta.url)),
);
const component = {
  name: "squashfs-tools",
  version: "4.6.1",
  licence: "GPL-2.0-or-later",
  source: "squashfs-tools 4.6.1-1",
  files: [],
};
const settings = {
  sysconfPath: "/etc/enroot",
  entries: [
    { name: "ENROOT_A", value: "x", origin: "default", note: "no effect" },
    { name: "ENROOT_LONGER", value: "", origin: "environment" },
    { name: "ENROOT_EVIL", value: "\u001b[2J\nx", origin: "/etc/enroot/enroot.conf" },
  ],
};

test("info shows each setting with its value, its origin and its note", () => {
  const text = formatInfo(settings, [], []);
  assert.deepEqual(text.split("\n").slice(1), [
    "Configuration file: /etc/enroot/enroot.conf",
    "",
    "Squashfs tools:",
    "",
    "Settings:",
    "  ENROOT_A       x                default (no effect)",
    "  ENROOT_LONGER  -                environment",
    "  ENROOT_EVIL    \\u{1b}[2J\\u{a}x  /etc/enroot/enroot.conf",
  ]);
});

test("info shows the place and the origin of each squashfs tool, or why there is none", () => {
  const text = formatInfo(settings, [
    { name: "mksquashfs", version: "4.6.1", origin: "carried", location: "memory" },
    { name: "unsquashfs", error: "There is no unsquashfs\non this machine" },
  ], [component]);
  assert.deepEqual(text.split("\n").slice(3, 8), [
    "Squashfs tools:",
    "  mksquashfs  4.6.1  denroot's own, in memory",
    "  unsquashfs  -      There is no unsquashfs\\u{a}on this machine",
    "  built from Debian's squashfs-tools 4.6.1-1, GPL-2.0-or-later; see denroot info --licenses",
    "",
  ]);
  const others = formatInfo(settings, [
    { name: "mksquashfs", version: "4.5.1", origin: "host", location: "/usr/bin/mksquashfs" },
    { name: "unsquashfs", version: "4.7", origin: "setting", location: "/opt/unsquashfs" },
  ], [component]);
  assert.deepEqual(others.split("\n").slice(3, 7), [
    "Squashfs tools:",
    "  mksquashfs  4.5.1  /usr/bin/mksquashfs",
    "  unsquashfs  4.7    /opt/unsquashfs (named by a setting)",
    "",
  ]);
});

test("the list of carried components has version, licence and source", () => {
  assert.match(
    formatComponents([component]),
    /^ {2}squashfs-tools {2}4\.6\.1 {2}GPL-2\.0-or-later {2}.* squashfs-tools 4\.6\.1-1$/m,
  );
});

test("info --json has the tools and their components", async () => {
  const { squashfsTools, components } = JSON.parse(await run(["info", "--json"]));
  assert.deepEqual(squashfsTools.map((tool: { name: string }) => tool.name), [
    "mksquashfs",
    "unsquashfs",
  ]);
  assert.equal(components[0]?.name, built ? "squashfs-tools" : undefined);
});

test("info --licenses prints the licences of all carried components, or says that there are none", async () => {
  if (!built) {
    await assert.rejects(run(["info", "--licenses"]), /carries no squashfs tools/);
    return;
  }
  const text = await run(["info", "--licenses"]);
  for (
    const words of [
      /squashfs-tools +4\.6\.1\+wide-directories +GPL-2\.0-or-later/,
      /Apache License/,
      /commander \(MIT\)/,
      /GNU GENERAL PUBLIC LICENSE\s+Version 2/,
      /GNU LESSER GENERAL PUBLIC LICENSE\s+Version 2\.1/,
      /GCC Runtime Library Exception/,
    ]
  ) assert.match(text, words);
  assert.equal(
    JSON.parse(await run(["info", "--json", "--licenses"])).licences.length > 1000,
    true,
  );
});
