/** Containers that were started from image files can be listed and joined. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { containerHome, USERS } from "../helpers/container_home.ts";
import { stopProgram, waitUntil } from "../helpers/run_program.ts";

const SCRIPT = ["/bin/sh", "-c"] as const;

for (const user of USERS) {
  const { denroot, root } = containerHome(user);
  const image = join(denroot.work, "box one.sqsh");
  execFileSync("mksquashfs", [root, image, "-quiet", "-no-progress", "-all-root"]);

  test(`exec joins it, list -f shows it by its path, and nothing of it stays (as ${user})`, async () => {
    const program = denroot.start(["start", image, ...SCRIPT, "echo ready; exec sleep 1000"]);
    await waitUntil("the container runs", () => program.stdout().includes("ready"));
    const pid = String(program.pid);
    assert.equal((await denroot.succeed(["exec", pid, "cat", "/.lock"])).stdout, "");
    const { stdout } = await denroot.succeed(["list", "--json"]);
    const found = JSON.parse(stdout).find(({ name }: { name: string }) => name === image);
    assert.deepEqual(found.processes.map((one: { pid: number }) => one.pid), [program.pid]);
    assert.ok((await denroot.succeed(["list", "-f"])).stdout.includes(`\n${image}  ${pid} `));
    assert.equal((await denroot.succeed(["list"])).stdout, "box\n");
    await stopProgram(program);
    await waitUntil("the server has ended", () => !serves(image));
    assert.ok(!(await denroot.succeed(["list", "--json"])).stdout.includes(image));
  });
}

/** Whether a process serves the image to a container. */
function serves(image: string): boolean {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).some((pid) => {
    try {
      const [name, ...words] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return name === "denroot-squashfs" && words.includes(image);
    } catch {
      return false;
    }
  });
}
