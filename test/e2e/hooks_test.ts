/** Hooks prepare real containers, as root and as an ordinary user. */

import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
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
import { containerHome, USERS } from "../helpers/container_home.ts";
import { countProcesses } from "../helpers/count_processes.ts";
import { nobody } from "../helpers/other_user.ts";
import { startProgram, waitUntil } from "../helpers/run_program.ts";

const SCRIPT = ["/bin/sh", "-c"] as const;
type Env = Readonly<Record<string, string>>;

for (const user of USERS) {
  const { denroot, root } = containerHome(user);
  const id = user === "root" ? 0 : nobody;
  const site = join(denroot.home, "sysconf");
  const run = (script: string, env: Env = {}, ...options: string[]) =>
    denroot.run(["start", ...options, "box", ...SCRIPT, script], {
      env: { ENROOT_SYSCONF_PATH: site, ...env },
    });
  const output = async (script: string, env: Env = {}, ...options: string[]) => {
    const { exitCode, stdout, stderr } = await run(script, env, ...options);
    assert.equal(exitCode, 0, stderr);
    return stdout;
  };
  const siteHook = (name: string, text: string, mode = 0o755) => {
    mkdirSync(join(site, "hooks.d"), { recursive: true });
    const path = join(site, "hooks.d", name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };
  const withoutSite = () => rmSync(site, { recursive: true, force: true });

  test(`the container's user has a name, a group, a home and a time zone (as ${user})`, async () => {
    const name = user === "root" ? "root" : "nobody";
    const script = "id -un; id -gn; wc -l < /etc/passwd; readlink /etc/localtime || true";
    const [who, group, lines] = (await output(script)).split("\n");
    assert.deepEqual([who, lines], [name, "2"]);
    assert.ok(["root", "nogroup"].includes(group!), group!);
    assert.equal(existsSync(join(root, "etc/passwd")), false);
  });

  test(`passwd does not grow with writable starts (as ${user})`, async () => {
    await output("true", {}, "-w");
    const before = readFileSync(join(root, "etc/passwd"), "utf8");
    for (let n = 0; n < 3; n++) await output("true", {}, "-w");
    assert.equal(readFileSync(join(root, "etc/passwd"), "utf8"), before);
    assert.deepEqual(readdirSync(join(root, "etc")).filter((name) => name.startsWith(".")), []);
  });

  test(`the control groups are read-only (as ${user})`, async () => {
    if (!existsSync("/sys/fs/cgroup")) return;
    const mounts = (await output("cat /proc/mounts")).split("\n")
      .filter((line) => / \/sys\/fs\/cgroup/.test(line));
    assert.ok(mounts.length > 0 && mounts.every((line) => / ro,/.test(line)), mounts.join("\n"));
  });

  test(`restricted devices are few, and they work (as ${user})`, async () => {
    const script =
      "ls /dev; echo x > /dev/null; head -c 3 /dev/zero | wc -c; stat -c %a /dev/shm;" +
      "echo via stdin | cat /dev/stdin";
    const lines = (await output(script, { ENROOT_RESTRICT_DEV: "y" })).trim().split("\n");
    for (const name of ["fd", "full", "null", "ptmx", "pts", "random", "shm", "tty", "urandom"]) {
      assert.ok(lines.includes(name), name);
    }
    assert.ok(!lines.includes("kmsg") && !lines.includes("mem"));
    assert.deepEqual(lines.slice(-3), ["3", "1777", "via stdin"]);
  });

  test(`--ipc gives shared memory of its own (as ${user})`, async () => {
    const marker = `/dev/shm/denroot-test-${process.pid}-${id}`;
    writeFileSync(marker, "");
    try {
      const script = "ls /dev/shm; touch /dev/shm/x; ls /dev/shm; ls -d /dev/mqueue";
      assert.equal(await output(script, {}, "--ipc"), "x\n/dev/mqueue\n");
    } finally {
      rmSync(marker);
    }
  });

  test(`the home is mounted, and HOME names it (as ${user})`, async () => {
    const home = join(denroot.home, "my home");
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "mine"), "");
    const env = { ENROOT_MOUNT_HOME: "y", HOME: home, ENROOT_CONFIG_PATH: "/nowhere" };
    assert.equal(await output('ls "$HOME"; echo "$HOME"', env, "-r"), "mine\n/root\n");
    if (user !== "root") assert.equal(await output('ls "$HOME"', env), "mine\n");
  });

  test(`a script of the site mounts and sets variables (as ${user})`, async () => {
    siteHook(
      "50-site.sh",
      `#!/usr/bin/env bash
set -euo pipefail
source "\${ENROOT_LIBRARY_PATH}/common.sh"
common::checkcmd enroot-mount
mkdir -p "$ENROOT_ROOTFS/made"
enroot-mount --root "$ENROOT_ROOTFS" - << EOF
/etc /made none bind,ro
tmpfs /in/side tmpfs x-create=dir,mode=700
/nothing /made none bind,nofail,silent
/proc /never none x-create=dir,rbind 0 -1
EOF
echo "tmpfs /later tmpfs x-create=dir" >> "$ENROOT_MOUNTS"
echo "FROM_HOOK=a b" >> "$ENROOT_ENVIRON"
common::log INFO "prepared for $(common::getpwent | cut -d: -f3)"
`,
    );
    const { stdout, stderr, exitCode } = await run(
      'echo "$FROM_HOOK"; ls /made/hosts; for d in /in/side /later; do grep -c " $d tmpfs" /proc/mounts; done; ls /',
    );
    withoutSite();
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /^a b\n\/made\/hosts\n1\n1\n/);
    assert.ok(!stdout.includes("never"));
    assert.equal(stderr, `[INFO] prepared for ${id}\n`);
  });

  test(`a hook ends with the start that ran it, with all that it has started (as ${user})`, async () => {
    const seconds = String(1e6 + process.pid);
    const body = `sleep ${seconds} & (setsid sleep ${seconds} &); sleep ${seconds}`;
    const config = join(denroot.home, "slow.conf");
    writeFileSync(config, `environ() { ${body}; }\n`);
    for (const options of [[], ["--pid"], ["--conf", config]]) {
      if (options.length < 2) siteHook("50-site.sh", `#!/bin/sh\n${body}\n`);
      const program = denroot.start(["start", ...options, "box", "true"], {
        env: { ENROOT_SYSCONF_PATH: site },
      });
      await waitUntil("the hook sleeps", () => countProcesses("sleep", seconds) === 3);
      program.child.kill("SIGKILL");
      await waitUntil("the hook is gone", () => countProcesses("sleep", seconds) === 0);
      await program.done;
      withoutSite();
    }
    assert.equal(readFileSync("/proc/self/mountinfo", "utf8").includes(denroot.home), false);
  });

  test(`what denroot tells its own runtime reaches no hook (as ${user})`, async () => {
    siteHook("50-site.sh", "#!/bin/sh\nenv >&2\n");
    const { stdout, stderr } = await run("env", { BUN_JSC_useDFGJIT: "0" });
    withoutSite();
    assert.match(stderr, /^BUN_JSC_useDFGJIT=0$/m);
    assert.equal(/JSC_useBaseline/.exec(stdout + stderr), null);
  });

  test(`a script that fails stops the start, and so does a mount of its (as ${user})`, async () => {
    const path = siteHook("50-site.sh", "#!/bin/sh\nexit 7\n");
    const failed = await run("echo started");
    assert.deepEqual([failed.exitCode, failed.stdout], [1, ""]);
    assert.ok(
      failed.stderr.startsWith(`[ERROR] ${path} exited with return code 7\n`),
      failed.stderr,
    );
    siteHook(
      "50-site.sh",
      '#!/bin/sh\necho "/no/such /x none x-create=dir,bind" | enroot-mount --root "$ENROOT_ROOTFS" -\n',
    );
    const unmounted = await run("echo started");
    withoutSite();
    assert.deepEqual([unmounted.exitCode, unmounted.stdout], [1, ""]);
    assert.match(unmounted.stderr, /"\/no\/such" cannot be mounted/);
  });

  test(`a script gets the container's PID as the host has it (as ${user})`, async () => {
    siteHook("50-site.sh", '#!/bin/sh\nreadlink "/proc/$ENROOT_PID/ns/pid" >&2\n');
    const { stderr, stdout } = await run("readlink /proc/self/ns/pid", {}, "--pid");
    withoutSite();
    assert.equal(stderr, stdout);
    assert.match(stdout, /^pid:/);
  });

  test(`a site replaces a built-in hook, and switches it off (as ${user})`, async () => {
    siteHook("10-shadow.sh", '#!/bin/sh\necho me:x:1:1::: > "$ENROOT_ROOTFS/etc/passwd"\n');
    assert.equal(await output("cat /etc/passwd"), "me:x:1:1:::\n");
    rmSync(join(root, "etc/localtime"), { force: true });
    siteHook("10-localtime.sh", "");
    siteHook("10-cgroups.sh", "#!/bin/sh\nexit 1\n", 0o644);
    await output("test ! -L /etc/localtime");
    withoutSite();
  });

  test(`a step of Slurm passes its variables on, and line breaks add nothing (as ${user})`, async () => {
    const env = {
      SLURM_JOB_ID: "5",
      SLURM_STEP_ID: "0",
      SLURM_STEP_NODELIST: "n[07-09]",
      SLURM_PROCID: "3",
      SLURM_COMMENT: "x\nINJECTED=1",
      PMI_RANK: "3",
    };
    const script =
      'echo "$SLURM_STEP_ID $PMI_RANK ${INJECTED-none} $MASTER_ADDR $MASTER_PORT $RANK"';
    assert.equal(await output(script, env), "0 3 none   \n");
    const torch = await output(script, env, "-e", "PYTORCH_VERSION=2");
    assert.equal(torch, "0 3 none n07 61005 3\n");
  });
}

if (USERS.includes("root")) {
  test("THE HOST'S FILES STAY AS THEY ARE when an image's /etc leads out of it", async () => {
    const { denroot, root } = containerHome("root");
    const outside = join(denroot.home, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "passwd"), "host");
    rmSync(join(root, "etc"), { recursive: true });
    symlinkSync(outside, join(root, "etc"));
    const { stdout } = await denroot.succeed(["start", "-w", "box", ...SCRIPT, "cat /etc/passwd"]);
    assert.match(stdout, /^root:x:0:0:/);
    assert.deepEqual(readdirSync(outside), ["passwd"]);
    assert.equal(readFileSync(join(outside, "passwd"), "utf8"), "host");
  });

  test("nvidia-container-cli is told what the host wants, and its failure is shown", async () => {
    const { denroot } = containerHome("root");
    const tools = join(denroot.home, "tools");
    mkdirSync(tools);
    const tool = join(tools, "nvidia-container-cli");
    // In a mount namespace of its own this machine has a driver.
    const withDriver = 'mount -t tmpfs none /proc/driver; mkdir /proc/driver/nvidia; exec "$@"';
    const start = (script: string, env: Env) => {
      writeFileSync(tool, `#!/bin/sh\n${script}\n`);
      chmodSync(tool, 0o755);
      const words = ["start", "-e", "NVIDIA_DRIVER_CAPABILITIES=compute", "box", ...SCRIPT, "true"];
      const command = ["-ec", withDriver, "sh", ...denroot.runtime.command, ...words];
      return startProgram("unshare", ["-m", "sh", ...command], {
        env: { ...denroot.environment(), PATH: `${tools}:/usr/bin:/bin`, ...env },
        cwd: denroot.work,
      }).done;
    };
    const visible = { NVIDIA_VISIBLE_DEVICES: "0,1" };
    const told = await start(`echo "$*" > ${tools}/told`, visible);
    assert.equal(told.exitCode, 0, told.stderr);
    const words = readFileSync(join(tools, "told"), "utf8").trim().split(" ");
    assert.deepEqual(words.slice(0, 3), ["--user", "configure", "--no-cgroups"]);
    assert.deepEqual(words.slice(-3, -1), ["--device=0,1", "--compute"]);
    assert.ok(words.some((word) => word.startsWith("--ldconfig=@/")));
    const failed = await start("echo 'nvml error: insufficient permissions' >&2; exit 1", visible);
    assert.equal(failed.exitCode, 1);
    assert.match(failed.stderr, /98-nvidia\.sh failed: .*nvml error: insufficient permissions/);
    assert.match(failed.stderr, /NVIDIA_VISIBLE_DEVICES=void/);
    assert.equal((await start("exit 1", { NVIDIA_VISIBLE_DEVICES: "void" })).exitCode, 0);
    const site = join(denroot.home, "sysconf");
    mkdirSync(site);
    writeFileSync(join(site, "enroot.conf"), "NVIDIA_VISIBLE_DEVICES 3\nNVIDIA_DEBUG_LOG yes\n");
    const configured = await start(`echo "$*" >&2; echo "a log" >&2`, {
      ENROOT_SYSCONF_PATH: site,
    });
    assert.equal(configured.exitCode, 0, configured.stderr);
    assert.match(configured.stderr, /--debug=\/dev\/stderr configure .*--device=3 /);
    assert.match(configured.stderr, /a log/);
  });

  test("a container of root's has the user who starts it, and stays as it is", async () => {
    const { denroot, root } = containerHome("an ordinary user");
    writeFileSync(join(root, "etc/passwd"), "bin:x:2:2:::\n");
    for (const name of ["run", "lock"]) mkdirSync(join(root, "var", name));
    for (const name of ["group", "hosts", "hostname", "resolv.conf", "machine-id"]) {
      writeFileSync(join(root, "etc", name), "");
    }
    await startProgram("chown", ["-R", "root:root", root], { cwd: "/" }).done;
    const { stdout } = await denroot.succeed([
      "start",
      "box",
      ...SCRIPT,
      "id -un; cat /etc/passwd",
    ]);
    assert.match(stdout, /^nobody\n/);
    assert.match(stdout, /^bin:x:2:2:::$/m);
    assert.equal(readFileSync(join(root, "etc/passwd"), "utf8"), "bin:x:2:2:::\n");
  });

  test("a full disk is named by the hook that needs it", async () => {
    const { denroot, root } = containerHome("root");
    const data = join(root, "..");
    const onSmallDisk = [
      "cp -a $0 $0.copy; mount -t tmpfs -o size=8m none $0; cp -a $0.copy/box $0",
      "dd if=/dev/zero of=$0/fill bs=4k 2> /dev/null || true",
      'exec "$@"',
    ].join("\n");
    const start = [...denroot.runtime.command, "start", "-w", "box", ...SCRIPT, "echo started"];
    const { exitCode, stdout, stderr } = await startProgram(
      "unshare",
      ["-m", "sh", "-ec", onSmallDisk, data, ...start],
      { env: denroot.environment(), cwd: denroot.work },
    ).done;
    assert.deepEqual([exitCode, stdout], [1, ""], stderr);
    assert.match(stderr, /hook \S+ failed: .*ENOSPC\n *Only 0 bytes are free at .*box\n/);
  });
}

test("denroot hooks lists what runs, in order, with the reasons", async () => {
  const { denroot } = containerHome(USERS[0]!);
  const site = join(denroot.home, "sysconf");
  mkdirSync(join(site, "hooks.d"), { recursive: true });
  writeFileSync(join(site, "hooks.d", "10-localtime.sh"), "");
  writeFileSync(join(site, "hooks.d", "20-site.sh"), "#!/bin/sh\n", { mode: 0o755 });
  const env = { ENROOT_SYSCONF_PATH: site, ENROOT_MOUNT_HOME: "y" };
  const { stdout } = await denroot.succeed(["hooks"], { env });
  const lines = stdout.trimEnd().split("\n");
  assert.deepEqual(lines.filter((line) => line.length > 80 && !line.includes(site)), []);
  const rows = lines.map((line) => line.split(/\s+/).slice(0, 2).join(" "));
  assert.deepEqual(rows.filter((row) => /^\w+ \d+-(home|localtime|site|devices)/.test(row)), [
    "off 10-devices.sh",
    "runs 10-home.sh",
    "off 10-localtime.sh",
    "runs 20-site.sh",
  ]);
  const { stdout: json } = await denroot.succeed(["hooks", "--json"], { env });
  const site20 = JSON.parse(json).find(({ name }: { name: string }) => name === "20-site.sh");
  assert.deepEqual(site20, {
    name: "20-site.sh",
    type: "file",
    path: join(site, "hooks.d", "20-site.sh"),
    reason: "it is executable",
    runs: true,
  });
});
