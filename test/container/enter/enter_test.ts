/** The carried program `enter`, step by step, with real namespaces. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { arch, tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { countProcesses } from "../../helpers/count_processes.ts";
import { asNobody } from "../../helpers/other_user.ts";
import { project } from "../../helpers/release.ts";
import { runProgram, startProgram, waitUntil } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const enter = join(project, "build/enter", arch(), "enter");
const PATHS = "search=/usr/bin:/bin";
const NEW_USER_AND_PID = "unshare=30020000";

before(() => runProgram(join(project, "scripts/build_enter"), [arch()]));

function run(...words: string[]) {
  return startProgram(enter, words).done;
}

test("an ordinary user gets a namespace with one user, and all rights in it", async () => {
  const words = [
    enter,
    "unshare=10020000",
    "write=/proc/self/setgroups:deny",
    "write=/proc/self/gid_map:7 65534 1",
    "write=/proc/self/uid_map:4000000000 65534 1",
    "ambient",
    PATHS,
    "sh",
    "-c",
    "id -u; id -g; grep CapAmb /proc/self/status",
  ];
  const [first, ...rest] = process.getuid!() === 0 ? [...asNobody, ...words] : words;
  const { stdout } = await runProgram(first!, rest, { cwd: tmpdir() });
  assert.match(stdout, /^4000000000\n7\nCapAmb:\t0*[1-9a-f][0-9a-f]+\n$/);
});

test("a child's exit code is its parent's", async () => {
  assert.equal((await run("fork", PATHS, "sh", "-c", "exit 41")).exitCode, 41);
});

test("a child's death by a signal is its parent's", async () => {
  assert.equal((await run("fork", PATHS, "sh", "-c", "kill -USR1 $$")).signal, "SIGUSR1");
});

test("a parent hands signals over to its child", async () => {
  const script = "trap 'echo got it; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
  const program = startProgram(enter, ["fork", PATHS, "sh", "-c", script]);
  await waitUntil("the trap is set", () => program.stdout().includes("ready"));
  process.kill(program.pid, "SIGTERM");
  const { exitCode, stdout } = await program.done;
  assert.deepEqual([exitCode, stdout], [3, "ready\ngot it\n"]);
});

test("a parent stops and goes on with its child", async () => {
  const program = startProgram(enter, ["fork", PATHS, "sh", "-c", "kill -STOP $$; exit 5"]);
  await waitUntil("the parent has stopped", () => stateOf(program.pid) === "T");
  process.kill(program.pid, "SIGCONT");
  assert.equal((await program.done).exitCode, 5);
});

test("a parent that is killed takes its child along", async () => {
  const program = startProgram(enter, ["fork", PATHS, "sh", "-c", "echo $$; exec sleep 100"]);
  await waitUntil("the child runs", () => program.stdout() !== "");
  const child = Number(program.stdout());
  program.child.kill("SIGKILL");
  await waitUntil("the child is gone", () => [undefined, "Z"].includes(stateOf(child)));
});

test("what is tended leaves behind what its child has left that did well", async () => {
  const script = "sleep 1000 > /dev/null 2>&1 & echo $!";
  const { exitCode, stdout } = await run(`tend=${process.pid}`, PATHS, "sh", "-c", script);
  assert.equal(exitCode, 0);
  process.kill(Number(stdout), "SIGKILL");
});

test("what is tended ends as its child does, and with a child that fails all that it has left", async () => {
  const left = "sleep 1000 > /dev/null 2>&1 & echo $!";
  for (const [end, code, signal] of [["exit 7", 7, null], ["kill -USR1 $$", null, "SIGUSR1"]]) {
    const words = [`tend=${process.pid}`, PATHS, "sh", "-c", `${left}; ${end}`];
    const result = await run(...words);
    assert.deepEqual([result.exitCode, result.signal], [code, signal]);
    assert.equal(stateOf(Number(result.stdout)), undefined);
  }
});

test("a child that fails leaves nothing also where /proc is that of another PID namespace", async () => {
  const script = "sleep 20 > /dev/null 2>&1 & exit 7";
  const begunMs = performance.now();
  const words = [NEW_USER_AND_PID, "init", "tend=0", PATHS, "sh", "-c", script];
  assert.equal((await run(...words)).exitCode, 7);
  assert.ok(performance.now() - begunMs < 15_000, "it was waited for");
});

test("what is tended ends with its parent's parent, down to what has left its own parent", async () => {
  const mark = String(2e6 + process.pid);
  const script = `sleep ${mark} & (setsid sleep ${mark} &) ; wait`;
  const words = [enter, `tend=$$`, PATHS, "sh", "-c", `'${script}'`].join(" ");
  const program = startProgram("sh", ["-c", `${words}; true`]);
  await waitUntil("the children run", () => countProcesses("sleep", mark) === 2);
  program.child.kill("SIGKILL");
  await waitUntil("all of them are gone", () => countProcesses("sleep", mark) === 0);
});

test("a parent that is killed at any moment leaves no child", async () => {
  const mark = String(1e6 + process.pid);
  for (let n = 0; n < 60; n++) {
    const words = [NEW_USER_AND_PID, ...mapped(), "init", PATHS, "sleep", mark];
    const child = spawn(enter, words, { stdio: "ignore" });
    const ended = new Promise((resolve) => child.on("exit", resolve));
    await new Promise((resolve) => setTimeout(resolve, n % 6));
    process.kill(child.pid!, "SIGKILL");
    await ended;
  }
  await waitUntil("all are gone", async () => {
    const { stdout } = await runProgram("ps", ["-eo", "args"]);
    return !stdout.split("\n").includes(`sleep ${mark}`);
  });
});

test("a child that nobody may wait for is waited for all the same", async () => {
  // Slurm's daemons and some shells leave SIGCHLD ignored.
  const { stdout } = await runProgram("python3", [
    "-c",
    "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN);" +
    "os.execv(sys.argv[1], sys.argv[1:])",
    enter,
    "fork",
    PATHS,
    "grep",
    "SigIgn",
    "/proc/self/status",
  ]);
  assert.match(stdout, /^SigIgn:\t[0-9a-f]*1[0-9a-f]{4}$/m);
});

test("the first process of a PID namespace buries orphans", async () => {
  // What is not buried stays for ever.
  const script =
    "echo $$; (true & ); mount -t proc proc /proc; count() { set /proc/[0-9]*; echo $#; }; " +
    "turn=0; while [ $(count) -gt 3 ] && [ $turn -lt 100 ]; do sleep 0.1; turn=$((turn + 1)); done; count";
  const { stdout } = await run(NEW_USER_AND_PID, ...mapped(), "init", PATHS, "sh", "-c", script);
  const [own, processes] = stdout.trim().split("\n").map(Number);
  assert.equal(own, 2);
  // init and sh: the orphan is not among them.
  assert.equal(processes, 2, stdout);
});

test("a PID namespace ends with its command", async () => {
  const script = "sleep 100 & echo started; exit 6";
  const program = startProgram(enter, [
    NEW_USER_AND_PID,
    ...mapped(),
    "init",
    PATHS,
    "sh",
    "-c",
    script,
  ]);
  // The output would stay open as long as the sleep runs.
  assert.equal((await program.done).exitCode, 6);
});

test("a failed step runs another program, with the step and the error's number", async () => {
  const words = 'else=9 sh -c \'printf "%s|" "$@"\' said : join=77 run=9';
  const { stdout } = await runProgram("sh", ["-c", `exec 9< /bin/sh; exec ${enter} ${words}`]);
  assert.equal(stdout, "join=77|9|");
});

test("a failed step says what a person can read", async () => {
  const { exitCode, stderr } = await run("say=Cannot run it", PATHS, "no-such-program");
  assert.deepEqual([exitCode, stderr], [1, "Cannot run it: it is not there\n"]);
});

test("an unknown step does nothing", async () => {
  const { exitCode, stderr } = await run("forks", PATHS, "true");
  assert.deepEqual([exitCode, stderr], [1, "forks: 22\n"]);
});

test("a script without #! is the shell's", async () => {
  const directory = scratchDirectory("enter");
  writeFileSync(join(directory, "script"), 'echo "$0 $1"\n', { mode: 0o755 });
  const { stdout } = await run(`search=/nowhere:${directory}`, "script", "word");
  assert.equal(stdout, `${directory}/script word\n`);
});

test("a detached child lives on in a session of its own", async () => {
  const program = startProgram(enter, [
    "session",
    "detach",
    PATHS,
    "sh",
    "-c",
    "exec >&- 2>&-; exec sleep 1",
  ]);
  assert.equal((await program.done).exitCode, 0);
});

test("a waiting child goes on after a byte, and not after the end of the pipe", async () => {
  for (const [input, exitCode] of [["x", 0], ["", 1]] as const) {
    const child = spawn(enter, ["wait=0", PATHS, "true"], { stdio: ["pipe", "ignore", "ignore"] });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    child.stdin.end(input);
    assert.equal(await ended, exitCode);
  }
});

test("a guarded program cannot be written to by those who reach it through /proc", async () => {
  const directory = scratchDirectory("guarded");
  const program = join(directory, "program");
  copyFileSync("/bin/sh", program);
  // Only what no longer runs can be written to: that program gives way to another one first.
  const script =
    'exec 8< /proc/self/exe; exec sh -c "echo >> /proc/self/fd/8 && echo WRITTEN; true"';
  const words = [
    "unshare=10020000",
    ...mapped(),
    `guard=9:${program}`,
    "run=9",
    "program",
    "-c",
    script,
  ];
  const { stderr, stdout } = await runProgram("sh", [
    "-c",
    'exec 9< "$0"; exec "$@"',
    program,
    enter,
    ...words,
  ]);
  assert.match(stderr, /Read-only file system/);
  assert.equal(stdout, "");
});

test("a program is guarded also where nothing else has its mount namespace", async () => {
  const outer = ["-Urm", "sh", "-c", 'exec 9< /bin/true; exec "$@"', "sh"];
  const maps = ["write=/proc/self/gid_map:0 0 1", "write=/proc/self/uid_map:0 0 1"];
  const words = ["unshare=10020000", ...maps, "guard=9:/bin/true", "run=9", "true"];
  const { stderr } = await startProgram("unshare", [...outer, enter, ...words]).done;
  assert.equal(stderr, "");
});

test("a hidden process belongs to the host's root", async () => {
  const directory = scratchDirectory("hidden");
  const program = join(directory, "enter");
  copyFileSync(enter, program);
  chmodSync(directory, 0o755);
  const words = [...(process.getuid!() === 0 ? asNobody : []), program, "hide", "wait=0"];
  const child = spawn(words[0]!, words.slice(1), { stdio: ["pipe", "ignore", "ignore"] });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const isHidden = () => {
    const { uid } = statSync(`/proc/${child.pid}/environ`);
    return uid === 0 && readFileSync(`/proc/${child.pid}/cmdline`, "utf8").startsWith(program);
  };
  await waitUntil("it hides", isHidden);
  child.stdin.end();
  await ended;
});

function mapped(): string[] {
  return [
    "write=/proc/self/setgroups:deny",
    `write=/proc/self/gid_map:0 ${process.getgid!()} 1`,
    `write=/proc/self/uid_map:0 ${process.getuid!()} 1`,
  ];
}

/** `T` for a stopped process, `Z` for a dead one; undefined for none. */
function stateOf(pid: number): string | undefined {
  try {
    return /\) (.)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
  } catch {
    return undefined;
  }
}
