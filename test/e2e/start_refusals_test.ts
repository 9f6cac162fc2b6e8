/** What a machine forbids is named, and what can be done without is not needed. */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { containerHome, USERS } from "../helpers/container_home.ts";
import { startProgram } from "../helpers/run_program.ts";

const SCRIPT = ["/bin/sh", "-c"] as const;
const { denroot } = containerHome(USERS[0]!);

/** Runs a start behind `prepare`, a shell's line, in user and PID namespaces of its own. */
async function startAfter(prepare: string, ...words: string[]) {
  const outer = process.getuid!() === 0 ? ["-pf", "--mount-proc"] : ["-Urpf", "--mount-proc"];
  const script = `${prepare}; exec "$@"`;
  const command = [...denroot.runtime.command, "start", ...words];
  const { done } = startProgram("unshare", [...outer, "sh", "-c", script, "sh", ...command], {
    env: denroot.environment(),
    cwd: denroot.work,
  });
  return await done;
}

test("a kernel setting that forbids user namespaces is named, with the remedy", async () => {
  const { done } = startProgram("unshare", [
    "-Ur",
    "sh",
    "-c",
    'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"',
    "sh",
    ...denroot.runtime.command,
    ...["start", "box", "true"],
  ], { env: denroot.environment(), cwd: denroot.work });
  const { exitCode, stdout, stderr } = await done;
  assert.deepEqual([exitCode, stdout], [1, ""]);
  assert.match(stderr, /^\[ERROR\] .* make the container's namespaces: ENOSPC\n/);
  assert.match(stderr, /sysctl -w user\.max_user_namespaces=65536\n$/);
});

test("doctor tries out what a start does", async () => {
  const forbid = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"';
  const command = [...denroot.runtime.command, "doctor", "--json"];
  const found = async (words: readonly [string, ...string[]]) => {
    const { done } = startProgram(words[0], words.slice(1), {
      env: denroot.environment(),
      cwd: denroot.work,
    });
    const { findings } = JSON.parse((await done).stdout);
    return findings.find(({ subject }: { subject: string }) => subject === "User namespaces");
  };
  assert.equal((await found(command as [string, ...string[]])).status, "ok");
  const refused = await found(["unshare", "-Ur", "sh", "-c", forbid, "sh", ...command]);
  assert.equal(refused.status, "warning");
  assert.match(refused.remedy, /sysctl -w user\.max_user_namespaces=65536$/);
});

test("a container starts where programs in memory may not run", {
  skip: process.getuid!() !== 0 && "only root can forbid them",
}, async () => {
  const forbid = "echo 2 > /proc/sys/vm/memfd_noexec";
  const { stdout, stderr } = await startAfter(forbid, "box", ...SCRIPT, "echo it runs");
  assert.equal(stdout, "it runs\n", stderr);
  assert.ok(readdirSync(denroot.cache).some((name) => name.startsWith("tools-")));
  const image = join(denroot.work, "box.sqsh");
  await denroot.succeed(["export", "-o", image, "box"]);
  const fromImage = await startAfter(forbid, image, ...SCRIPT, "echo it runs");
  assert.deepEqual([fromImage.stdout, fromImage.stderr], ["it runs\n", ""]);
});

test("another user's directory of containers is named, and is no mistake of denroot's", {
  skip: process.getuid!() !== 0 && "only root has another user",
}, async () => {
  const own = containerHome("an ordinary user").denroot;
  const data = join(denroot.home, "closed");
  mkdirSync(data, { mode: 0o700 });
  const { exitCode, stderr } = await own.run(["start", "box"], { env: { ENROOT_DATA_PATH: data } });
  assert.equal(exitCode, 1);
  assert.match(stderr, /^\[ERROR\] .*\/box cannot be looked at: EACCES.*\n.*ENROOT_DATA_PATH/);
});

test("a container starts on a machine without names, network and shared memory", {
  skip: process.getuid!() !== 0 && "only root can take them away",
}, async () => {
  const take = "mount -t tmpfs none /etc; exec 8< /dev/null; mount -t tmpfs none /dev; " +
    "touch /dev/null; mount --bind /proc/self/fd/8 /dev/null; exec 8<&-";
  const { stdout, stderr } = await startAfter(take, "box", ...SCRIPT, "echo it runs");
  assert.deepEqual([stdout, stderr], ["it runs\n", ""]);
});

test("a runtime directory that cannot be made is named", async () => {
  const { exitCode, stderr } = await denroot.run(["start", "box", "true"], {
    env: { ENROOT_RUNTIME_PATH: join("/proc", "denroot") },
  });
  assert.equal(exitCode, 1);
  assert.match(
    stderr,
    /^\[ERROR\] The directory \/proc\/denroot cannot be made: .*\n.*ENROOT_RUNTIME/,
  );
});

test("a container starts without a login's runtime directory", async () => {
  const { denroot } = containerHome(USERS.at(-1)!);
  const { stdout, stderr } = await denroot.run(["start", "box", ...SCRIPT, "echo it runs"], {
    env: { ENROOT_RUNTIME_PATH: undefined, XDG_RUNTIME_DIR: "/proc/none" },
  });
  assert.deepEqual([stdout, stderr], ["it runs\n", ""]);
});

test("the hidden part of a start explains itself to a person who calls it", async () => {
  const { exitCode, stderr } = await denroot.run(["within", "77"]);
  assert.equal(exitCode, 2);
  assert.match(stderr, /^\[ERROR\] "within" is denroot's own command/);
});
