/** A container's root is hostile: none of its files leads a start out of the root. */

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { containerHome, makeBusyboxRoot, USERS } from "../helpers/container_home.ts";
import { nobody } from "../helpers/other_user.ts";

const SCRIPT = ["/bin/sh", "-c"] as const;
const SECRET = "a file of the host\n";

for (const user of USERS) {
  const { denroot, root } = containerHome(user);
  const host = join(denroot.home, "host");

  /** A fresh root and a fresh directory of the host. */
  const prepare = (change: () => void) => {
    for (const path of [host, root]) rmSync(path, { recursive: true, force: true });
    mkdirSync(host);
    writeFileSync(join(host, "secret"), SECRET);
    makeBusyboxRoot(root);
    change();
    if (user !== "root") execFileSync("chown", ["-Rh", `${nobody}:${nobody}`, root, host]);
  };
  const replace = (path: string, target: string) => {
    rmSync(join(root, path), { recursive: true, force: true });
    symlinkSync(target, join(root, path));
  };
  const assertHostUntouched = () => {
    assert.deepEqual(readdirSync(host), ["secret"], "HOST DIRECTORY WAS CHANGED");
    assert.equal(readFileSync(join(host, "secret"), "utf8"), SECRET, "HOST FILE WAS CHANGED");
  };

  for (const options of user === "root" ? [["-w"]] : [[], ["-w"]]) {
    const how = `${options.join(" ") || "read-only"}, as ${user}`;
    const start = (...words: string[]) =>
      denroot.run(["start", ...options, "box", ...words], { timeoutMs: 20_000 });

    const links: readonly (readonly [title: string, path: string, target: () => string])[] = [
      ["/etc is a link to the host", "etc", () => host],
      ["/etc is a link with many ..", "etc", () => `${"../".repeat(40)}${host}`],
      ["/tmp is a link to the host", "tmp", () => host],
      ["/etc/hosts is a link to the host", "etc/hosts", () => join(host, "secret")],
      [
        "/etc/resolv.conf is a link to nothing on the host",
        "etc/resolv.conf",
        () => join(host, "x"),
      ],
      ["/etc/passwd is a link to the host", "etc/passwd", () => join(host, "secret")],
      ["/etc/group is a link to nothing on the host", "etc/group", () => join(host, "group")],
      ["/etc/localtime is a link to the host", "etc/localtime", () => join(host, "secret")],
      ["/.lock is a link to the host", ".lock", () => join(host, "secret")],
      ["/.lock is a link to nothing on the host", ".lock", () => join(host, "lock")],
      ["/proc is a link to itself", "proc", () => "proc"],
      ["/proc/self/root leads on", "dev", () => `/proc/self/root${host}`],
    ];
    for (const [title, path, target] of links) {
      test(`a start leaves the host alone when ${title} (${how})`, async () => {
        prepare(() => replace(path, target()));
        const { stdout } = await start(
          ...SCRIPT,
          `cat /etc/* /.lock 2> /dev/null; echo > ${host}/x`,
        );
        assertHostUntouched();
        assert.ok(!stdout.includes(SECRET), "HOST FILE WAS READ");
      });
    }

    test(`a start reads no FIFO and no device of the root (${how})`, async () => {
      prepare(() => {
        for (const name of ["fstab", "environment", "rc.local", "nologin", "login.defs"]) {
          rmSync(join(root, "etc", name), { force: true });
          execFileSync("mkfifo", [join(root, "etc", name)]);
        }
        execFileSync("mkfifo", [join(root, ".lock")]);
      });
      const { signal, stderr } = await start(...SCRIPT, "true");
      assert.equal(signal, null, `THE START HANGS\n${stderr}`);
    });

    test(`a directory in the lock's place gives way, so that list finds the container (${how})`, async () => {
      prepare(() => mkdirSync(join(root, ".lock/deep"), { recursive: true }));
      const { stdout } = await start(...SCRIPT, "[ -f /.lock ] && echo a file");
      assert.equal(stdout, "a file\n");
      assert.ok(lstatSync(join(root, ".lock")).isFile());
    });

    test(`a root that is a link in its first directory does not start elsewhere (${how})`, async () => {
      prepare(() => replace("bin", "/proc/1/root/bin"));
      const { exitCode } = await start(...SCRIPT, "true");
      assert.notEqual(exitCode, 0);
      assertHostUntouched();
    });
  }

  test(`a process that changes the root all the time leads no start out of it (as ${user})`, async () => {
    prepare(() => {
      mkdirSync(join(root, "real"));
      symlinkSync(host, join(root, "link"));
    });
    const script =
      "cd $0; while :; do mv -T etc old; mv -T link etc; mv -T etc link; mv -T old etc; done";
    // In a group of its own, so that its last mv ends with it.
    const spinner = spawn("sh", ["-c", script, root], { stdio: "ignore", detached: true });
    const ended = once(spinner, "exit");
    try {
      for (let n = 0; n < 4; n++) {
        await denroot.run(["start", "-w", "box", "/bin/busybox", "true"], { timeoutMs: 20_000 });
      }
    } finally {
      process.kill(-spinner.pid!, "SIGKILL");
      await ended;
    }
    assertHostUntouched();
  });

  test(`the container cannot write to its lock, nor remove it (as ${user})`, async () => {
    prepare(() => {});
    const script = "echo x > /.lock; rm /.lock; umount /.lock; ls /.lock";
    const { stdout } = await denroot.run(["start", "-w", "-r", "box", ...SCRIPT, script]);
    assert.match(stdout, /\/\.lock$/m);
    assert.equal(lstatSync(join(root, ".lock")).size, 0);
  });
}
