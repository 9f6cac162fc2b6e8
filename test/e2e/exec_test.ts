/** Commands join containers that run. */

import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { containerHome, USERS } from "../helpers/container_home.ts";
import { nobody } from "../helpers/other_user.ts";
import {
  type RunningProgram,
  startProgram,
  stopProgram,
  waitUntil,
} from "../helpers/run_program.ts";

const IDLE = ["/bin/sh", "-c", "echo ready; exec sleep 1000"] as const;
const running: RunningProgram[] = [];

after(async () => void await Promise.all(running.map((program) => stopProgram(program))));

for (const user of USERS) {
  const { denroot, root } = containerHome(user);
  const begin = async (...options: string[]) => {
    const program = denroot.start(["start", ...options, "box", ...IDLE]);
    running.push(program);
    await waitUntil("the container runs", () => program.stdout().includes("ready"));
    return String(program.pid);
  };
  let pid = "";
  before(async () => void (pid = await begin("-e", "GIVEN=to the container")));

  test(`exec runs in the container's namespaces, with its variables (as ${user})`, async () => {
    const script =
      "readlink /proc/$1/ns/mnt; readlink /proc/self/ns/mnt; echo $GIVEN; echo $FROM_IMAGE; readlink /proc/$1/cwd; pwd";
    const { stdout } = await denroot.succeed(["exec", pid, "sh", "-c", script, "sh", pid]);
    const [theirs, own, given, fromImage, theirDirectory, directory] = stdout.trim().split("\n");
    assert.equal(own, theirs);
    assert.deepEqual([given, fromImage], ["to the container", "yes"]);
    assert.equal(directory, theirDirectory);
  });

  test(`exec has no more rights than the container (as ${user})`, async () => {
    const script = "grep -E '^(Cap(Prm|Eff)|NoNewPrivs|Seccomp):' /proc/self/status";
    const ownRights = await denroot.succeed(["start", "box", "/bin/sh", "-c", script]);
    const { stdout } = await denroot.succeed(["exec", pid, "sh", "-c", script]);
    assert.equal(stdout, ownRights.stdout);
  });

  test(`exec sets variables, and takes values of the host (as ${user})`, async () => {
    const { stdout } = await denroot.succeed(
      ["exec", "-e", "GIVEN=to exec", "--env", "FROM_HOST", "-e", "UNSET", pid, "env"],
      { env: { FROM_HOST: "of the host" } },
    );
    const lines = stdout.split("\n");
    for (const line of ["GIVEN=to exec", "FROM_HOST=of the host", "UNSET="]) {
      assert.ok(lines.includes(line), stdout);
    }
    assert.ok(!stdout.includes("GIVEN=to the container"), stdout);
  });

  test(`exec passes on exit codes and signals (as ${user})`, async () => {
    assert.equal((await denroot.run(["exec", pid, "sh", "-c", "exit 9"])).exitCode, 9);
    assert.equal((await denroot.run(["exec", pid, "sh", "-c", "kill -9 $$"])).signal, "SIGKILL");
  });

  test(`exec says which command the container lacks (as ${user})`, async () => {
    const { exitCode, stderr } = await denroot.run(["exec", pid, "no-such-command"]);
    assert.deepEqual(
      [exitCode, stderr],
      [1, "[ERROR] The container cannot run no-such-command: it is not there\n"],
    );
  });

  test(`exec joins a container with PIDs of its own, from each of its sides (as ${user})`, async () => {
    const outer = await begin("--pid");
    const script = "readlink /proc/self; ls -d /proc/[0-9]* | wc -l";
    const { stdout } = await denroot.succeed(["exec", outer, "sh", "-c", script]);
    const [self, count] = stdout.trim().split("\n").map(Number);
    assert.ok(self! > 1 && self! < 20 && count! < 10, stdout);
  });

  test(`nothing that a container sets changes denroot itself (as ${user})`, async () => {
    // A loader that the container provides, and variables that load code into programs.
    const trap = join(root, "bin/trap");
    writeFileSync(trap, "#!/bin/sh\necho caught\n");
    chmodSync(trap, 0o755);
    const hostile = await begin(
      ...["-e", "LD_PRELOAD=/bin/trap", "-e", "LD_LIBRARY_PATH=/bin", "-e", "LD_AUDIT=/bin/trap"],
      ...["-e", "BUN_OPTIONS=--preload=/bin/trap", "-e", "BASH_ENV=/bin/trap"],
      ...["-e", "NODE_OPTIONS=--require=/bin/trap", "-e", "ENROOT_SYSCONF_PATH=/bin"],
    );
    const { stdout, stderr } = await denroot.succeed(["exec", hostile, "sh", "-c", "echo safe"]);
    assert.deepEqual([stdout, stderr], ["safe\n", ""]);
  });

  test(`exec refuses a process that is in no container (as ${user})`, async () => {
    const own = startIdle(denroot.runtime.command);
    const { exitCode, stderr } = await denroot.run(["exec", String(own.pid), "true"]);
    assert.equal(exitCode, 1);
    assert.match(stderr, new RegExp(`^\\[ERROR\\] Process ${own.pid} is in no container\n`));
  });
}

test("exec says that a process is gone", async () => {
  const { denroot } = containerHome(USERS[0]!);
  for (const pid of ["4194304", "0", "-1", "self", "1/task/1", "99999999999999999999"]) {
    const { exitCode, stderr } = await denroot.run(["exec", "--", pid, "true"]);
    assert.equal(exitCode, 1, pid);
    assert.match(stderr, /^\[ERROR\] Process not found: /, pid);
  }
});

if (process.getuid!() === 0) {
  test("the host's root joins a container of a user as that user", async () => {
    const { denroot } = containerHome("an ordinary user");
    const program = denroot.start(["start", "-r", "box", ...IDLE]);
    running.push(program);
    await waitUntil("the container runs", () => program.stdout().includes("ready"));
    const script = "echo ready; exec sleep 1000";
    const root = containerHome("root").denroot;
    const member = root.start(["exec", String(program.pid), "sh", "-c", script]);
    running.push(member);
    await waitUntil("the member runs", () => member.stdout().includes("ready"));
    const status = readFileSync(`/proc/${member.pid}/status`, "utf8");
    const ids = [nobody, nobody, nobody, nobody].join("\t");
    assert.match(status, new RegExp(`^Uid:\t${ids}\nGid:\t${ids}$`, "m"));
    assert.match(status, /^Groups:\t\s*$/m);
  });

  test("a user cannot join another user's container", async () => {
    const { denroot } = containerHome("root");
    const program = denroot.start(["start", "box", ...IDLE]);
    running.push(program);
    await waitUntil("the container runs", () => program.stdout().includes("ready"));
    const other = containerHome("an ordinary user").denroot;
    const { exitCode, stderr } = await other.run(["exec", String(program.pid), "true"]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /Process \d+ cannot be joined: .*\n.*Only the user who started/);
  });
}

/** A process of the same user, outside of all containers. */
function startIdle([first, ...rest]: readonly [string, ...string[]]): RunningProgram {
  const prefix = first === "setpriv" ? [first, ...rest.slice(0, -1)] : [];
  const [program, ...args] = [...prefix, "sleep", "1000"];
  const started = startProgram(program!, args);
  running.push(started);
  return started;
}
