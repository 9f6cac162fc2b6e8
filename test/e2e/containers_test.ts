/** Containers from their making to their end: create, load, list, export, remove, batch. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { containerHome, USERS } from "../helpers/container_home.ts";
import { releasedDenroot } from "../helpers/denroot_command.ts";
import { writeImage } from "../helpers/image_fixture.ts";
import { nobody } from "../helpers/other_user.ts";
import { startProgram, waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { directory, file, link, symlink } from "../helpers/tar_fixture.ts";
import { compareTrees, listDirectory, listImage } from "../helpers/tree_listing.ts";

const HEAD = "NAME PID COMM STATE STARTED TIME MNTNS USERNS COMMAND";
const scratch = scratchDirectory("containers");
chmodSync(scratch, 0o755);
const layout = join(scratch, "layout");
mkdirSync(layout);
const { tag } = writeImage(layout, {
  layers: [[
    directory("etc"),
    file("etc/one", "1"),
    link("etc/two", "etc/one"),
    symlink("etc/three", "one"),
    file("large", Buffer.alloc(2_000_000, "x")),
  ], [
    file("etc/one", "new"),
    directory("shut", { mode: 0 }),
    file("su", "x", { mode: 0o755, xattrs: { "user.a": "b" } }),
  ]],
  config: { Env: ["A=b"], WorkingDir: "/work" },
});
const uri = `oci:${layout}:${tag}`;

for (const user of USERS) {
  const { denroot, root } = containerHome(user);
  const data = join(denroot.home, "data");
  const run = denroot.run.bind(denroot);

  test(`load gives what import and create give, without a file between (as ${user})`, async () => {
    await denroot.succeed(["import", "-o", "image.sqsh", uri]);
    await denroot.succeed(["create", "image.sqsh"]);
    const { stdout } = await denroot.succeed(["load", "--json", "--name", "loaded", uri]);
    const loaded = JSON.parse(stdout);
    assert.deepEqual([loaded.name, loaded.path], ["loaded", join(data, "loaded")]);
    const [actual, wanted] = [
      await listDirectory(loaded.path),
      await listDirectory(`${data}/image`),
    ];
    assert.deepEqual(compareTrees(actual, wanted, { directoryTimes: true }), []);
    assert.ok(actual.has("etc/rc") && actual.has("work"));
    await denroot.succeed(["load", uri]);
    assert.ok(existsSync(join(data, `layout+${tag}`)));
  });

  test(`a name that is taken stays, and with --force it is replaced (as ${user})`, async () => {
    for (const args of [["create", "image.sqsh"], ["load", "-n", "image", uri]]) {
      const { exitCode, stderr } = await run(args);
      assert.deepEqual([exitCode, stderr.split("\n")[0]], [
        1,
        `[ERROR] File already exists: ${join(data, "image")}`,
      ]);
      await denroot.succeed([...args, "--force"]);
      await denroot.succeed(args, { env: { ENROOT_FORCE_OVERRIDE: "y" } });
    }
  });

  test(`list prints the names, and nothing else anywhere (as ${user})`, async () => {
    mkdirSync(join(data, ".hidden"));
    // Other commands warn of such a yes.
    const { stdout, stderr } = await denroot.succeed(["list"], { env: { ENROOT_ALLOW_HTTP: "0" } });
    assert.deepEqual([stdout, stderr], [`box\nimage\nlayout+${tag}\nloaded\n`, ""]);
    const env = { ENROOT_DATA_PATH: join(denroot.home, "none") };
    const none = await denroot.succeed(["list"], { env });
    assert.deepEqual([none.stdout, none.stderr], ["", ""]);
    const empty = await denroot.succeed(["list", "-f"], { env });
    // Other tests may run containers from image files, which are listed by their paths.
    const [head, ...rows] = empty.stdout.trimEnd().split("\n");
    assert.equal(head!.replace(/ +/g, " "), HEAD);
    assert.deepEqual(rows.filter((row) => !/^[/ ]/.test(row)), []);
  });

  test(`list -f finds each start, read-only or writable, and remove spares it (as ${user})`, async () => {
    const sleep = ["box", "/bin/sleep", "3600"];
    const starts = [denroot.start(["start", ...sleep]), denroot.start(["start", "--rw", ...sleep])];
    try {
      await waitUntil("both run", () => starts.every(({ pid }) => commOf(pid) === "sleep"));
      const { stdout, stderr } = await denroot.succeed(["list", "--fancy"]);
      assert.equal(stderr, "");
      const lines = stdout.split("\n");
      const rows = lines.slice(lines.findIndex((line) => /^box /.test(line))).slice(0, 2);
      assert.match(
        rows[0]!,
        /^box {2,}\d+ {2,}sleep {2,}S\S* {2,}\d\d:\d\d {2,}\d\d:\d\d {2,}\d+ {2,}\d+ {2,}\/bin/,
      );
      assert.match(rows[1]!, /^ +\d+ {2,}sleep .*\/bin\/sleep 3600$/);
      const pids = starts.map(({ pid }) => pid).sort((one, other) => one - other);
      assert.deepEqual(rows.map((row) => Number(/\d+/.exec(row))), pids);

      const kept = await run(["remove", "--force", "box"]);
      assert.equal(kept.exitCode, 1);
      assert.match(kept.stderr, new RegExp(`box is running: processes ${pids.join(", ")}$`, "m"));
      const replaced = await run(["create", "-f", "-n", "box", "image.sqsh"]);
      assert.match(replaced.stderr, /box is running/);
      assert.ok(existsSync(join(root, "bin/busybox")));
    } finally {
      for (const { child } of starts) child.kill("SIGKILL");
      await Promise.all(starts.map(({ done }) => done));
    }
    const { stdout } = await denroot.succeed(["list", "-f"]);
    assert.match(stdout, /^box {2,}$/m);
  });

  test(`an image of a container lacks what belongs to the machine (as ${user})`, async () => {
    const tree = join(data, "image");
    for (const path of ["dev/shm", ".enroot/bin", "mnt"]) {
      mkdirSync(join(tree, path), { recursive: true });
    }
    for (const path of ["dev/null", "dev/shm/x", ".lock", "mnt/file", "mnt/kept"]) {
      writeFileSync(join(tree, path), "");
    }
    mkdirSync(join(tree, "mnt/directory"));
    for (const path of ["mnt/directory", "mnt/file"]) chmodSync(join(tree, path), 0);
    if (user !== "root") execFileSync("chown", ["-R", `${nobody}`, tree]);
    await denroot.succeed(["export", "--output", "exported.sqsh", "image"]);
    const paths = [...(await listImage(join(denroot.work, "exported.sqsh"))).keys()];
    const gone = ["dev/null", "dev/shm", ".enroot", ".lock", "mnt/file", "mnt/directory"];
    assert.deepEqual(paths.filter((path) => gone.includes(path)), []);
    assert.deepEqual(
      ["dev", "mnt/kept", "etc/one", "shut"].filter((path) => !paths.includes(path)),
      [],
    );
    const again = await run(["export", "--output", "exported.sqsh", "image"]);
    assert.deepEqual([again.exitCode, /exported.sqsh exists already/.test(again.stderr)], [
      1,
      true,
    ]);
    const inside = await run(["export", "--output", join(tree, "x.sqsh"), "image"]);
    assert.match(inside.stderr, /which the image is made from/);
  });

  test(`remove asks, and takes y alone for a yes (as ${user})`, async () => {
    const path = join(data, "loaded");
    const question = `Do you really want to delete ${path}? [y/N] `;
    for (
      const [input, exitCode] of [["n\n", 0], ["\n", 0], ["yes\n", 0], ["y", 1], ["", 1]] as const
    ) {
      const result = await run(["remove", "loaded"], { input });
      assert.deepEqual([result.exitCode, result.stdout], [exitCode, ""], JSON.stringify(input));
      assert.ok(result.stderr.startsWith(question), result.stderr);
      if (input === "") assert.match(result.stderr, /\[y\/N\] \n\[ERROR\] /);
      assert.ok(existsSync(path));
    }
    await denroot.succeed(["remove", "loaded"], { input: "y\n" });
    assert.equal(existsSync(path), false);
  });

  test(`remove goes on after a failure, and follows nothing (as ${user})`, async () => {
    symlinkSync(denroot.work, join(data, "link"));
    const names = ["..", ".", "link", "missing", "../work", `layout+${tag}`];
    const { exitCode, stderr } = await run(["remove", "-f", ...names]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /\[ERROR\] 5 of 6 containers were not removed/);
    assert.deepEqual(readdirSync(data).sort(), [".hidden", "box", "image", "link"]);
    assert.ok(existsSync(join(denroot.work, "image.sqsh")));
    assert.ok(existsSync(join(denroot.home, "cache")));
  });

  test(`a killed create leaves nothing under the name, and the next one tidies up (as ${user})`, async () => {
    // unsquashfs waits for its input, which never comes.
    const stuck = join(denroot.home, "unsquashfs");
    writeFileSync(
      stuck,
      '#!/bin/sh\n[ "$1" = -version ] && exec echo "unsquashfs version 4.6.1"\n' +
        'while [ "$1" != -dest ]; do shift; done; mkdir "$2"; : > "$2/part"; exec sleep 3600\n',
    );
    chmodSync(stuck, 0o755);
    const program = denroot.start(["create", "-n", "killed", "image.sqsh"], {
      env: { DENROOT_UNSQUASHFS: stuck },
    });
    const parts = () => readdirSync(data).filter((name) => name.startsWith(".denroot-"));
    await waitUntil(
      "it unpacks",
      () => parts().some((name) => existsSync(join(data, name, "part"))),
    );
    const children = readFileSync(`/proc/${program.pid}/task/${program.pid}/children`, "utf8");
    program.child.kill("SIGKILL");
    for (const pid of children.match(/\d+/g) ?? []) process.kill(Number(pid), "SIGKILL");
    await program.done;
    assert.equal(existsSync(join(data, "killed")), false);
    await denroot.succeed(["create", "-n", "killed", "image.sqsh"]);
    assert.deepEqual(parts(), []);
  });

  test(`batch takes the container and the settings from its script (as ${user})`, async () => {
    const script = join(denroot.work, "job");
    const enroot = join(denroot.home, "enroot");
    symlinkSync(denroot.runtime.command.at(-1)!, enroot);
    writeFileSync(
      script,
      `#!${enroot} batch\n#ENROOT_ROOTFS=box\n# ENROOT_REMAP_ROOT=y\n#ENROOT_ROOTFS_WRITABLE=y\n`,
    );
    chmodSync(script, 0o755);
    const command = ["/bin/sh", "-c", "id -u; echo > /written"];
    assert.equal((await denroot.succeed(["batch", script, ...command])).stdout, "0\n");
    assert.ok(existsSync(join(root, "written")));
    const [first, ...rest] = [...denroot.runtime.command.slice(0, -1), script, ...command];
    const direct = startProgram(first!, rest, { env: denroot.environment() });
    assert.equal((await direct.done).stdout, "0\n");
    const { stderr } = await run(["batch", "/etc/hostname"]);
    assert.match(stderr, /Missing directive ENROOT_ROOTFS in \/etc\/hostname/);
  });
}

test("another user's container stays as it is, in a directory that both may change", async () => {
  const { denroot, root } = containerHome("an ordinary user");
  const data = join(denroot.home, "data");
  chmodSync(data, 0o777);
  execFileSync("chown", ["-R", "0:0", root]);
  const before = await listDirectory(root);
  execFileSync("chown", [`${nobody}`, data]);
  await denroot.run(["import", "-o", "box.sqsh", uri]);
  for (
    const args of [["create", "-f", "box.sqsh"], ["load", "-f", "-n", "box", uri], [
      "remove",
      "-f",
      "box",
    ]]
  ) {
    const { exitCode, stderr } = await denroot.run(args);
    assert.equal(exitCode, 1, stderr);
    assert.match(stderr, /data\/box cannot be removed: it belongs to the user 0\n/);
  }
  assert.deepEqual(readdirSync(data), ["box"]);
  assert.deepEqual(compareTrees(await listDirectory(root), before, { directoryTimes: true }), []);
});

test("under the name enroot, remove --force takes a container that runs", async () => {
  const { denroot, root } = containerHome("root");
  const enroot = join(denroot.home, "enroot");
  symlinkSync(denroot.runtime.command.at(-1)!, enroot);
  const running = denroot.start(["start", "box", "/bin/sleep", "3600"]);
  try {
    await waitUntil("it runs", () => commOf(running.pid) === "sleep");
    const removal = startProgram(enroot, ["remove", "-f", "box"], { env: denroot.environment() });
    assert.equal((await removal.done).stderr, "");
    assert.equal(existsSync(root), false);
  } finally {
    running.child.kill("SIGKILL");
    await running.done;
  }
});

test("export ends at TERM, though its parent left TERM blocked, and leaves nothing", async () => {
  const { denroot } = containerHome("root");
  // The packer waits for ever.
  const stuck = join(denroot.home, "mksquashfs");
  writeFileSync(
    stuck,
    '#!/bin/sh\n[ "$1" = -version ] && exec echo "mksquashfs version 4.6.1"\n' +
      ': > "$2"; exec sleep 3600\n',
  );
  chmodSync(stuck, 0o755);
  const block = "use POSIX; sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGTERM, SIGINT, SIGHUP)); " +
    "exec @ARGV";
  const program = startProgram(
    "perl",
    ["-e", block, ...releasedDenroot().command, "export", "-o", "stuck.sqsh", "box"],
    { cwd: denroot.work, env: { ...denroot.environment(), DENROOT_MKSQUASHFS: stuck } },
  );
  await waitUntil("it packs", () => readdirSync(denroot.work).length > 0);
  program.child.kill("SIGTERM");
  const { exitCode } = await program.done;
  assert.equal(exitCode, 128 + 15);
  assert.deepEqual(readdirSync(denroot.work), []);
});

function commOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}
