/** Containers start: as root and as an ordinary user, in all the ways in which schedulers do it. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { bun, deno, type Denroot } from "../helpers/denroot_command.ts";
import { containerHome, USERS } from "../helpers/container_home.ts";
import { nobody } from "../helpers/other_user.ts";
import { runProgram, startProgram, waitUntil } from "../helpers/run_program.ts";
import { listDirectory } from "../helpers/tree_listing.ts";

const SCRIPT = ["/bin/sh", "-c"] as const;

for (const user of USERS) {
  const { denroot, root } = containerHome(user);
  const id = user === "root" ? 0 : nobody;
  const start = async (...args: string[]) => (await denroot.succeed(["start", ...args])).stdout;

  test(`a container has its user, its files and the variables of the image (as ${user})`, async () => {
    const script = "id -u; id -g; echo $FROM_IMAGE; ls /; cat /proc/self/comm";
    const lines = (await start("box", ...SCRIPT, script)).trim().split("\n");
    assert.deepEqual(lines.slice(0, 3), [String(id), String(id), "yes"]);
    assert.ok(lines.includes("proc"), lines.join());
  });

  test(`a read-only start leaves the root untouched (as ${user})`, async () => {
    const before = await withoutLock(root);
    const { exitCode } = await denroot.run(["start", "box", ...SCRIPT, "echo x > /etc/new"]);
    assert.notEqual(exitCode, 0);
    assert.deepEqual(await withoutLock(root), before);
  });

  test(`a writable start writes into the root (as ${user})`, async () => {
    await start("-w", "box", ...SCRIPT, "echo kept > /etc/kept");
    assert.equal(readFileSync(join(root, "etc/kept"), "utf8"), "kept\n");
  });

  test(`a container of the user's that belongs to another group starts (as ${user})`, async () => {
    if (process.getuid!() !== 0) return;
    const group = (gid: number) => execFileSync("chgrp", ["-R", String(gid), root]);
    group(12345);
    try {
      assert.equal(await start("box", ...SCRIPT, "id -u; cat /etc/kept"), `${id}\nkept\n`);
    } finally {
      group(id);
    }
  });

  test(`root inside is the user outside (as ${user})`, async () => {
    assert.equal(await start("-r", "box", ...SCRIPT, "id -u; id -g"), "0\n0\n");
    const status = await start("-r", "box", ...SCRIPT, "grep Cap /proc/self/status");
    assert.match(status, /^CapInh:\t0+\nCapPrm:\t0*[1-9a-f]/);
    assert.match(status, /^CapAmb:\t0+$/m);
  });

  test(`the container has the PID of the command that started it (as ${user})`, async () => {
    const program = denroot.start(["start", "box", ...SCRIPT, "echo $$"]);
    const { stdout } = await program.done;
    assert.equal(stdout, `${program.pid}\n`);
  });

  test(`exit codes and deaths by signals are the command's own (as ${user})`, async () => {
    assert.equal((await denroot.run(["start", "box", ...SCRIPT, "exit 42"])).exitCode, 42);
    const killed = await denroot.run(["start", "box", ...SCRIPT, "kill -USR2 $$"]);
    assert.equal(killed.signal, "SIGUSR2");
  });

  test(`signals, limits, umask and descriptors are those of a direct start (as ${user})`, async () => {
    await assertInherits(denroot);
  });

  test(`--pid, --net, --ipc and --uts give namespaces of their own (as ${user})`, async () => {
    const program = denroot.start([
      "start",
      "-r",
      ...["--pid", "--net", "--ipc", "--uts"],
      "box",
      ...SCRIPT,
      "hostname inside; hostname; ls -d /proc/[0-9]* | wc -l; ifconfig lo; ls -l /proc/self/ns",
    ]);
    const { stdout, stderr } = await program.done;
    const lines = stdout.split("\n");
    assert.equal(lines[0], "inside", stderr);
    assert.ok(Number(lines[1]) <= 5, stdout);
    assert.match(stdout, /UP LOOPBACK RUNNING/);
    for (const name of ["ipc", "net", "pid", "uts"]) {
      const inside = new RegExp(`(${name}:\\[\\d+\\])`).exec(stdout)?.[1];
      assert.notEqual(inside, readlinkSync(`/proc/self/ns/${name}`), name);
    }
  });

  test(`the root directory has its own permissions, whatever the umask is (as ${user})`, async () => {
    chmodSync(root, 0o755);
    const [first, ...rest] = denroot.runtime.command;
    const words = [first, ...rest, "start", "box", ...SCRIPT, "umask; stat -c %a /"];
    const { stdout, stderr } = await startProgram("sh", [
      "-c",
      'umask 077; exec "$@"',
      "sh",
      ...words,
    ], {
      env: denroot.environment(),
      cwd: denroot.work,
    }).done;
    assert.equal(stdout, "0077\n755\n", stderr);
  });

  test(`what leads out of the directory of containers is no name (as ${user})`, async () => {
    for (const name of ["", ".", "..", "box/.."]) {
      const { exitCode, stderr } = await denroot.run(["start", name, "true"]);
      assert.equal(exitCode, 1, name);
      assert.match(stderr, /No such file or directory: /, name);
    }
    assert.ok(!existsSync(join(denroot.home, ".lock")));
  });

  test(`a container starts inside another user namespace (as ${user})`, async () => {
    const [first, ...rest] = denroot.runtime.command;
    const denrootWords = user === "root" ? [first, ...rest] : rest.slice(-1);
    const outer = user === "root" ? [] : [first, ...rest.slice(0, -1)];
    const [program, ...args] = [...outer, "unshare", "-Ur", ...denrootWords];
    const command = [...args, "start", "box", ...SCRIPT, "id -u; id -u"];
    const env = denroot.environment();
    const { stdout, stderr } = await startProgram(program!, command, { env, cwd: denroot.work })
      .done;
    assert.equal(stdout, "0\n0\n", stderr);
  });

  test(`a start goes on when its executable is replaced meanwhile (as ${user})`, async () => {
    const copy = join(denroot.work, "denroot");
    const [executable = "", ...asUser] = denroot.runtime.command.toReversed();
    copyFileSync(executable, copy);
    // The descriptor still leads to the file.
    const script = 'exec 9< "$0"; rm "$0"; exec /proc/self/fd/9 start box /bin/echo started';
    const [first = "", ...words] = [...asUser.reverse(), "bash", "-c", script, copy];
    const program = startProgram(first, words, { env: denroot.environment() });
    assert.deepEqual([(await program.done).stdout, existsSync(copy)], ["started\n", false]);
  });

  test(`many starts at once all succeed, and leave nothing behind (as ${user})`, async () => {
    const outputs = await Promise.all(
      Array.from({ length: 8 }, (_, n) => start("box", ...SCRIPT, `echo ${n}`)),
    );
    assert.deepEqual(outputs, Array.from({ length: 8 }, (_, n) => `${n}\n`));
    assert.deepEqual(mountsBelow(denroot.home), []);
    assert.deepEqual(readdirSync(join(denroot.home, "runtime")), []);
  });

  test(`a start that is killed at any moment leaves nothing behind (as ${user})`, async () => {
    for (const delayMs of [0, 5, 15, 30, 60, 120, 250]) {
      const program = denroot.start(["start", "--pid", "box", "sleep", "1000"]);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      program.child.kill("SIGKILL");
      await program.done;
    }
    await waitUntil("all processes are gone", () => processesIn(denroot.home) === 0);
    assert.deepEqual(mountsBelow(denroot.home), []);
    assert.deepEqual(readdirSync(join(denroot.home, "runtime")), []);
  });
}

if (process.getuid!() === 0) {
  test("a root starts whose files have a group that the user is not in", {
    skip: process.getuid!() !== 0 && "only root can give files such a group",
  }, async () => {
    const { denroot, root } = containerHome("an ordinary user");
    execFileSync("chgrp", ["-R", "0", root]);
    // The places of mounts are missing in it, and are to be made.
    rmSync(join(root, "var"), { recursive: true });
    mkdirSync(join(root, "var"));
    chownSync(join(root, "var"), nobody, 0);
    const otherGroup = ["setpriv", `--reuid=${nobody}`, "--regid=4711", "--clear-groups"];
    const { command } = denroot.runtime;
    const result = await runProgram(otherGroup[0]!, [
      ...otherGroup.slice(1),
      command.at(-1)!,
      ...["start", "box", ...SCRIPT, "ls /var; id -g"],
    ], { env: denroot.environment(), cwd: denroot.work });
    assert.equal(result.stdout, "lock\nrun\n4711\n");
  });

  test("a superuser's container has the host's users, and its mounts stay its own", async () => {
    const { denroot } = containerHome("root");
    const { stdout } = await denroot.succeed(
      ["start", "box", ...SCRIPT, "readlink /proc/self/ns/user; grep Seccomp: /proc/self/status"],
      { env: { ENROOT_ALLOW_SUPERUSER: "y" } },
    );
    assert.match(
      stdout,
      new RegExp(`^${readlinkSync("/proc/self/ns/user").replace(/[[\]]/g, "\\$&")}\n`),
    );
    assert.deepEqual(mountsBelow(denroot.home), []);
  });
}

for (const runtime of [bun, deno]) {
  test(`a container starts from source on ${runtime.name}, and inherits the same`, async () => {
    const { denroot } = containerHome(USERS[0]!, runtime);
    // Deno itself catches INT half a second after its start, and slow machines have read nothing by then.
    await assertInherits(denroot, runtime === deno ? ["QUIT", "TSTP"] : undefined);
  });
}

test("a name that no container has is an error that names the place", async () => {
  const { denroot } = containerHome(USERS[0]!);
  const { exitCode, stderr } = await denroot.run(["start", "nothing", "true"]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /No such file or directory: .*\/data\/nothing\n/);
  const path = await denroot.run(["start", "./nothing", "true"]);
  assert.ok(path.stderr.includes(`: ${join(denroot.work, "nothing")}\n`), path.stderr);
});

test("a command that the container lacks is an error that names it", async () => {
  const { denroot } = containerHome(USERS[0]!);
  const { exitCode, stderr } = await denroot.run(["start", "box", "no-such-command"]);
  assert.notEqual(exitCode, 0);
  assert.match(stderr, /no-such-command/);
});

/** What a command finds in a container is what it finds without one. */
async function assertInherits(
  denroot: Denroot,
  ignored: readonly string[] = ["QUIT", "INT", "TSTP"],
): Promise<void> {
  const script =
    "grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status; umask; ulimit -S -n; ulimit -H -n; " +
    "cat /proc/self/oom_score_adj; for fd in 0 1 2 7; do grep flags /proc/self/fdinfo/$fd; done; " +
    "cat <&7";
  // As a scheduler may leave a process: signals blocked and ignored, few files, a descriptor.
  const surroundings = [
    "python3",
    "-c",
    "import os, resource, signal, sys\n" +
    "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])\n" +
    `for name in ${JSON.stringify(ignored)}:\n` +
    " signal.signal(getattr(signal, 'SIG' + name), signal.SIG_IGN)\n" +
    "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n" +
    "signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n" +
    "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n" +
    "resource.setrlimit(resource.RLIMIT_NOFILE, (333, hard))\n" +
    "os.umask(0o027)\n" +
    "r, w = os.pipe(); os.write(w, b'handed over'); os.close(w); os.dup2(r, 7)\n" +
    "os.spawnv(os.P_WAIT, sys.argv[1], sys.argv[1:])",
  ] as const;
  const run = async (command: readonly string[]) => {
    const env = { ...denroot.environment(), ENROOT_LOGIN_SHELL: "n" };
    const [program, ...args] = [...surroundings, ...command];
    const { stdout, stderr } = await startProgram(program!, args, { env, cwd: denroot.work })
      .done;
    return stdout + stderr;
  };
  const [first, ...rest] = denroot.runtime.command;
  const program = first.includes("/") ? first : `/usr/bin/${first}`;
  const direct = await run(["/usr/bin/busybox", "sh", "-c", script]);
  assert.match(direct, /handed over$/);
  assert.equal(await run([program, ...rest, "start", "box", ...SCRIPT, script]), direct);
}

/** All entries but the lock and the times that its making changed. */
async function withoutLock(root: string): Promise<unknown> {
  const entries = [...await listDirectory(root)].filter(([path]) => path !== ".lock");
  return entries.map(([path, entry]) => path === "" ? path : entry);
}

/** Mounts of the host, not of containers. */
function mountsBelow(directory: string): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.filter((line) => line.includes(directory));
}

/** Processes that name the directory in their arguments. */
function processesIn(directory: string): number {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(directory) ||
        readFileSync(`/proc/${pid}/mountinfo`, "utf8").includes(directory);
    } catch {
      return false;
    }
  }).length;
}
