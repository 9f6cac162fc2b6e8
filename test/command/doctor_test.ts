/** The report of the doctor: columns on a screen, JSON, and its exit code. */

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { formatFindings } from "../../lib/command/doctor.ts";
import type { Finding } from "../../lib/doctor/finding.ts";
import { testEachRuntime } from "../helpers/denroot_command.ts";

const FINDINGS: readonly Finding[] = [
  { group: "Machine", subject: "Clock", status: "ok", message: "right", affects: ["import"] },
  {
    group: "Paths",
    subject: "ENROOT_CACHE_PATH",
    status: "error",
    message: "/very/long/path/to/the/cache/of/somebody/on/a/file/system: it cannot be written",
    remedy: "Set ENROOT_CACHE_PATH to another directory that can be written",
    affects: ["import"],
  },
  {
    group: "Paths",
    subject: "X\u001b[2J",
    status: "note",
    message: "a\nb",
    affects: ["create", "start"],
  },
  {
    group: "Paths",
    subject: "Y",
    status: "note",
    message: "c",
    affects: ["import", "run", "load", "copy", "sync"],
  },
];

test("findings stand in groups and columns, with the remedy below them", () => {
  assert.deepEqual(formatFindings(FINDINGS, false).split("\n"), [
    "Machine",
    "  ok       Clock  right",
    "",
    "Paths",
    "  error    ENROOT_CACHE_PATH  /very/long/path/to/the/cache/of/somebody/on/a/file/system:",
    "                              it cannot be written (import)",
    "                              > Set ENROOT_CACHE_PATH to another directory that",
    "                                can be written",
    "  note     X\\u{1b}[2J         a\\u{a}b (create, start)",
    "  note     Y                  c (import, run, load and 2 more commands)",
  ]);
});

test("only statuses have colours, and only on a terminal", () => {
  const text = formatFindings(FINDINGS, true);
  assert.ok(text.includes("  \x1b[32mok     \x1b[39m  Clock  right"));
  assert.ok(text.includes("  \x1b[31merror  \x1b[39m  ENROOT_CACHE_PATH  "));
  assert.equal(stripVTControlCharacters(text), formatFindings(FINDINGS, false));
});

testEachRuntime("the exit code is 0 on a machine that can import", async (denroot) => {
  const result = await denroot.succeed(["doctor"]);
  assert.equal(result.stderr, "");
  for (const group of ["Machine", "Paths", "Squashfs tools", "Network", "Containers"]) {
    assert.match(result.stdout, new RegExp(`^${group}$`, "m"));
  }
  assert.match(result.stdout, /^ {2}ok +C library +glibc 2\.\d+$/m);
  assert.match(result.stdout, /^ {2}ok +mksquashfs +\d/m);
  assert.doesNotMatch(result.stdout, /^Registry/m);
  // A check leaves no files behind.
  assert.deepEqual(denroot.leftovers(), []);
});

testEachRuntime(
  "the report names a registry that answers, and a silent registry is an error",
  async (denroot) => {
    const server = createServer((_, response) => void response.writeHead(401).end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const registry = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const good = await denroot.succeed(["doctor", "--json", `docker://${registry}/team/app`]);
    const { findings } = JSON.parse(good.stdout) as { findings: Finding[] };
    const group = findings.filter((finding) => finding.group === `Registry ${registry}`);
    assert.deepEqual(group.map(({ status }) => status), ["ok", "ok", "ok"]);
    await new Promise((resolve) => server.close(resolve));
    const bad = await denroot.run(["doctor", registry]);
    assert.equal(bad.exitCode, 1);
    assert.match(bad.stdout, /^ {2}error +Connection +The connection to 127/m);
    assert.match(bad.stderr, /^\[ERROR\] One problem prevents an import\n/);
  },
);

testEachRuntime("a wrong setting is a finding", async (denroot) => {
  const result = await denroot.run(["doctor"], { env: { ENROOT_MAX_PROCESSORS: "many" } });
  assert.equal(result.exitCode, 1);
  assert.match(result.stdout, /^ {2}error +Settings +ENROOT_MAX_PROCESSORS is "many"/m);
  assert.match(result.stdout, /^ {2}ok +Processor/m);
});

testEachRuntime("an argument that is no registry is refused before any check", async (denroot) => {
  const result = await denroot.run(["doctor", "oci:layout"]);
  assert.deepEqual([result.exitCode, result.stdout], [2, ""]);
});

testEachRuntime(
  "the report warns of credentials that others can read, and has the remedy",
  async (denroot) => {
    const path = join(denroot.home, "config/.credentials");
    mkdirSync(join(denroot.home, "config"), { recursive: true });
    writeFileSync(path, "machine a login b password secret\n");
    chmodSync(path, 0o644);
    const { stdout } = await denroot.succeed(["doctor"]);
    assert.match(
      stdout.replace(/\s+/g, " "),
      new RegExp(`warning Credentials ${path}: 1 entry; other`),
    );
    assert.match(stdout.replace(/\s+/g, " "), new RegExp(`Run: chmod 600 ${path}`));
    assert.doesNotMatch(stdout, /secret/);
  },
);
