/** A container's processes find nothing of the host in the processes that serve the container. */

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { containerHome, USERS } from "../helpers/container_home.ts";
import { type RunningProgram, stopProgram, waitUntil } from "../helpers/run_program.ts";

const SCRIPT = ["/bin/sh", "-c"] as const;
const IDLE = [...SCRIPT, "cd /etc; echo ready; while :; do sleep 1; done"] as const;
const running: RunningProgram[] = [];

after(async () => void await Promise.all(running.map((program) => stopProgram(program))));

for (const user of USERS) {
  const { denroot } = containerHome(user);
  const begin = async (...options: string[]) => {
    const program = denroot.start(["start", ...options, "box", ...IDLE], {
      env: { SECRET: "of the host" },
    });
    running.push(program);
    await waitUntil("the container runs", () => program.stdout().includes("ready"));
    return String(program.pid);
  };

  test(`the server of an image shows nothing of the host to the container's root (as ${user})`, async () => {
    const image = join(denroot.work, "box.sqsh");
    await denroot.succeed(["export", "-f", "-o", image, "box"]);
    const before = readFileSync(image);
    const canary = join(denroot.work, "canary");
    writeFileSync(canary, "host\n");
    chmodSync(canary, 0o666);
    const script = `for p in /proc/[0-9]*; do
      grep -q "^denroot-squashfs.*$1" $p/cmdline 2> /dev/null || continue
      echo server
      cat $p/root$2 && echo HOST FILE WAS READ
      cat $p/cwd/canary && echo HOST FILE WAS READ
      grep -q SECRET $p/environ && echo HOST ENVIRONMENT WAS READ
      for f in 0 1 2 3 4 5 6 7 8; do
        cat $p/fd/$f/canary && echo HOST FILE WAS READ
        [ $f = 5 ] && echo >> $p/fd/$f && echo IMAGE WAS CHANGED
      done
    done 2> /dev/null; true`;
    const { stdout } = await denroot.succeed(
      ["start", "-r", image, ...SCRIPT, script, "sh", image, canary],
      { env: { SECRET: "of the host" } },
    );
    assert.equal(stdout, "server\n");
    assert.deepEqual(readFileSync(image), before);
  });

  test(`what waits for a container with PIDs of its own holds no directory of the host (as ${user})`, async () => {
    const pid = await begin("--pid");
    writeFileSync(join(denroot.work, "canary"), "");
    assert.ok(!existsSync(`/proc/${pid}/cwd/canary`), "HOST DIRECTORY IS HELD");
  });

  test(`exec by the process that waits outside gives the container's variables (as ${user})`, async () => {
    const pid = await begin("--pid");
    const { stdout } = await denroot.succeed(["exec", pid, ...SCRIPT, "pwd; env"]);
    assert.match(stdout, /^\/etc\n/);
    assert.doesNotMatch(stdout, /SECRET/);
    assert.match(stdout, /^FROM_IMAGE=yes$/m);
    const list = (await denroot.succeed(["list", "-f"])).stdout;
    assert.match(list, /^box +\d+ +sh .* \/bin\/sh -c cd/m);
    assert.doesNotMatch(list, /unshare=/);
  });

  test(`exec hides what it is until it has left the host (as ${user})`, async () => {
    const program = denroot.start(["exec", await begin("--pid"), ...IDLE]);
    running.push(program);
    await waitUntil("the command runs", () => program.stdout().includes("ready"));
    const words = readFileSync(`/proc/${program.pid}/cmdline`, "utf8").split("\0");
    const joins = words.findIndex((word) => word.startsWith("join="));
    assert.ok(
      joins > 0 && words.indexOf("hide") > 0 && words.indexOf("hide") < joins,
      words.join(),
    );
  });

  test(`a container cannot write to denroot's own file, its command's interpreter (as ${user})`, async () => {
    const hooks = join(denroot.home, "config", "hooks.d");
    mkdirSync(hooks, { recursive: true });
    const hook = join(hooks, "10-own.sh");
    // A script of the image with "#!/proc/self/exe" would have this file, when denroot runs it.
    writeFileSync(hook, "#!/bin/sh\n[ -w /proc/$ENROOT_PID/exe ] && echo WRITABLE >&2; exit 0\n");
    chmodSync(hook, 0o755);
    const { stderr } = await denroot.succeed(["start", "box", ...SCRIPT, "true"]);
    assert.doesNotMatch(stderr, /WRITABLE/);
  });
}
