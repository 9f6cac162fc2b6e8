/** A disk that becomes full while an archive is written. */

import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DenrootError } from "../../lib/errors.ts";
import { layerOf, layoutWith, useSyncs } from "./sync_fixture.ts";

const { newHome, sync } = useSyncs();
const MIB = 2 ** 20;

for (const splitBytes of [undefined, MIB]) {
  test(`a full disk is told with what stays on it, ${splitBytes ? "in parts" : "in one piece"}`, async (t) => {
    const home = newHome();
    const { path } = layoutWith(join(home, "near"), {
      "registry.example/app:1": [layerOf("a", 3 * MIB)],
    });
    const { writeSync } = fs;
    t.after(() => fs.writeSync = writeSync);
    let room = 2 * MIB;
    fs.writeSync = ((descriptor: number, bytes: Uint8Array, ...rest: number[]) => {
      room -= bytes.length;
      if (room < 0) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
      return writeSync(descriptor, bytes, ...rest);
    }) as typeof writeSync;
    const written = sync(`oci:${path}`, `oci-archive:${home}/a.tar`, { splitBytes });
    const error = await written.then(() => assert.fail("it was written"), (error) => error);
    assert(error instanceof DenrootError && error.code === "space", String(error));
    const [, left = ""] = /The same command goes on with (\S+);/.exec(error.hint ?? "") ?? [];
    const there = fs.readdirSync(home).filter((name) => name.startsWith(".denroot-"));
    assert.ok(there.length > 0);
    const isNamed = (name: string) =>
      left.endsWith("*")
        ? join(home, name).startsWith(left.slice(0, -1))
        : join(home, name) === left;
    assert.ok(there.every(isNamed), `${left} is not ${there}`);
  });
}
