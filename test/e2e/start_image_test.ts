/** Containers start from image files, and nothing of denroot outlives them. */

import assert from "node:assert/strict";
import {
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { before, test } from "node:test";
import { busyboxLayer } from "../helpers/busybox_layer.ts";
import { containerHome, USERS } from "../helpers/container_home.ts";
import { Denroot } from "../helpers/denroot_command.ts";
import { hasLoopDevices, letUsersMount, loopFiles, serversBelow } from "../helpers/fuse.ts";
import { writeImage } from "../helpers/image_fixture.ts";
import { nobody } from "../helpers/other_user.ts";
import { type RunningProgram, startProgram, waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { file } from "../helpers/tar_fixture.ts";

const SCRIPT = ["/bin/sh", "-c"] as const;
const IS_ROOT = process.getuid!() === 0;
const directory = scratchDirectory("image");
const original = join(directory, "box.sqsh");

before(async () => {
  letUsersMount();
  writeImage(join(directory, "layout"), {
    layers: [busyboxLayer(), [file("name", "an image\n")]],
    config: { Env: ["PATH=/bin", "FROM_IMAGE=yes"], Volumes: { "/volume": {} } },
  });
  const denroot = new Denroot();
  await denroot.succeed(["import", "-o", original, `oci:${join(directory, "layout")}`]);
  denroot.remove();
});

/** A home with the image in it. */
function imageHome(user: typeof USERS[number]) {
  const { denroot } = containerHome(user);
  const image = join(denroot.home, "box.sqsh");
  before(() => {
    copyFileSync(original, image);
    if (user !== "root" && IS_ROOT) chownSync(image, nobody, nobody);
  });
  return { denroot, image };
}

for (const user of USERS) {
  const { denroot, image } = imageHome(user);
  const start = async (...args: string[]) => (await denroot.succeed(["start", ...args])).stdout;
  const noServers = () =>
    waitUntil("no process serves images", () => serversBelow(denroot.home).length === 0);
  const assertRefused = async (args: readonly string[], message: RegExp): Promise<void> => {
    const { exitCode, stderr } = await denroot.run(args);
    assert.equal(exitCode, 1, stderr);
    assert.match(stderr, message);
  };
  /** A container that waits, when its first process runs. */
  const sleeping = async (...options: string[]): Promise<RunningProgram> => {
    const program = denroot.start(["start", ...options, image, "sleep", "1000"]);
    await waitUntil("the container runs", () => isSleeping(program.pid));
    return program;
  };

  test(`an image has its files, its variables and the user (as ${user})`, async () => {
    const id = user === "root" ? 0 : nobody;
    const output = await start(
      image,
      ...SCRIPT,
      "cat /name; echo $FROM_IMAGE; id -u; stat -c %u /name",
    );
    assert.equal(output, `an image\nyes\n${id}\n${id}\n`);
    assert.equal(await start("-r", image, ...SCRIPT, "id -u; stat -c %u /name"), "0\n0\n");
    await noServers();
  });

  test(`an image's root is read-only, and with -w it is in memory (as ${user})`, async () => {
    const content = readFileSync(image);
    const { exitCode } = await denroot.run(["start", image, ...SCRIPT, "echo x > /new"]);
    assert.notEqual(exitCode, 0);
    const script = "echo new > /name; rm -r /var; cat /name; ls -d /var 2>&1 | wc -l";
    assert.equal(await start("-w", image, ...SCRIPT, script), "new\n1\n");
    assert.equal(await start(image, ...SCRIPT, "cat /name"), "an image\n");
    assert.ok(readFileSync(image).equals(content));
  });

  test(`a volume that the image lacks is a directory to write to (as ${user})`, async () => {
    const script = "echo kept > /volume/file; cat /volume/file";
    assert.equal(await start(image, ...SCRIPT, script), "kept\n");
  });

  test(`exec joins an image's container, and no server outlives it (as ${user})`, async () => {
    const program = await sleeping();
    try {
      assert.equal(serversBelow(denroot.home).length, 1);
      const { stdout } = await denroot.succeed(["exec", String(program.pid), "cat", "/name"]);
      assert.equal(stdout, "an image\n");
    } finally {
      program.child.kill("SIGKILL");
    }
    await program.done;
    await noServers();
  });

  test(`a start that is killed at any moment leaves no server (as ${user})`, async () => {
    for (const delayMs of [10, 30, 50, 70, 100, 150]) {
      const program = denroot.start(["start", image, "sleep", "1000"]);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      program.child.kill("SIGKILL");
      await program.done;
    }
    await noServers();
    assert.deepEqual(readdirSync(join(denroot.home, "runtime")), []);
  });

  test(`the image is served until the last process ends (as ${user})`, async () => {
    const shared = join(denroot.home, "shared");
    mkdirSync(shared);
    if (user !== "root" && IS_ROOT) chownSync(shared, nobody, nobody);
    const script = "(while [ ! -e /shared/go ]; do sleep 0.1; done; cat /name > /shared/name) " +
      "> /dev/null 2>&1 & exit 7";
    const mount = `${shared}:/shared:none:x-create=dir,bind,rw`;
    const { exitCode } = await denroot.run(["start", "-m", mount, image, ...SCRIPT, script]);
    const servers = serversBelow(denroot.home).length;
    writeFileSync(join(shared, "go"), "");
    assert.deepEqual([exitCode, servers], [7, 1]);
    await noServers();
    assert.equal(readFileSync(join(shared, "name"), "utf8"), "an image\n");
  });

  test(`--unpack needs no server, and leaves nothing (as ${user})`, async () => {
    const program = await sleeping("--unpack");
    try {
      assert.equal(serversBelow(denroot.home).length, 0);
      const { stdout } = await denroot.succeed(["exec", String(program.pid), "cat", "/name"]);
      assert.equal(stdout, "an image\n");
    } finally {
      program.child.kill("SIGKILL");
    }
    await program.done;
    assert.deepEqual(readdirSync(join(denroot.home, "runtime")), []);
  });

  test(`a damaged image is an error that names it (as ${user})`, async () => {
    const damaged = join(denroot.home, "damaged.sqsh");
    copyFileSync(image, damaged);
    truncateSync(damaged, 5000);
    await assertRefused(["start", damaged, "true"], /damaged\.sqsh cannot be mounted|cut short/);
    copyFileSync(image, damaged);
    // The place of the inodes and the directories.
    const descriptor = openSync(damaged, "r+");
    writeSync(descriptor, Buffer.alloc(16, 0xff), 0, 16, 64);
    closeSync(descriptor);
    await assertRefused(["start", damaged, "true"], /damaged\.sqsh cannot be mounted/);
    await assertRefused(["start", "--unpack", damaged, "true"], /damaged\.sqsh/);
    await noServers();
  });

  test(`15 starts at once all succeed, and leave nothing (as ${user})`, async () => {
    const runs = Array.from(
      { length: 15 },
      (_, n) => start(image, ...SCRIPT, `cat /name; echo ${n}`),
    );
    const expected = Array.from({ length: 15 }, (_, n) => `an image\n${n}\n`);
    assert.deepEqual(await Promise.all(runs), expected);
    await noServers();
    assert.deepEqual(readdirSync(join(denroot.home, "runtime")), []);
  });
}

if (IS_ROOT) {
  const { denroot, image } = imageHome("an ordinary user");

  for (
    const [how, change, message] of [
      ["is missing", "rm /dev/fuse", /ENOENT/],
      ["is forbidden", "chmod 600 /dev/fuse", /EACCES/],
    ] as const
  ) {
    test(`where /dev/fuse ${how}, the error says what to do`, async () => {
      const script = `mount -t tmpfs none /dev && for one in null:3 zero:5 urandom:9; do
          mknod -m 666 /dev/\${one%:*} c 1 \${one#*:}; done
        mknod -m 666 /dev/fuse c 10 229; ${change}; exec "$@"`;
      const words = ["--mount", "sh", "-ec", script, "sh", ...denroot.runtime.command];
      const { exitCode, stderr } = await startProgram(
        "unshare",
        [...words, "start", image, "true"],
        { env: denroot.environment(), cwd: denroot.work },
      ).done;
      assert.equal(exitCode, 1, stderr);
      assert.match(stderr, message);
      assert.match(
        stderr,
        /open \/dev\/fuse \(mode 666\).*--device \/dev\/fuse.*--unpack, .*denroot create/,
      );
    });
  }

  test("a superuser's container has the image from the kernel", {
    skip: hasLoopDevices() ? false : "this machine has no loop devices",
  }, async () => {
    const { denroot } = containerHome("root");
    const image = join(denroot.home, "box.sqsh");
    copyFileSync(original, image);
    const env = { ENROOT_ALLOW_SUPERUSER: "y" };
    const program = denroot.start(["start", image, "sleep", "1000"], { env });
    await waitUntil("the container runs", () => isSleeping(program.pid));
    assert.ok(loopFiles().includes(image), loopFiles().join());
    assert.deepEqual(serversBelow(denroot.home), []);
    program.child.kill("SIGKILL");
    await program.done;
    await waitUntil("the device is free", () => !loopFiles().includes(image));
    assert.ok(existsSync(image));
  });
}

function isSleeping(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8") === "sleep\u00001000\u0000";
  } catch {
    return false;
  }
}
