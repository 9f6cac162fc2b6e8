/** Files, options and scripts decide what a real container has, and what runs in it. */

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { containerHome, USERS } from "../helpers/container_home.ts";

const KEPT = "/opt/bin:/bin";
/** As denroot's import writes it. */
const RC = `mkdir -p '/tmp/work' 2> /dev/null
cd '/tmp/work' || exit 1
unset OLDPWD

if [ -s /etc/rc.local ]; then
    . /etc/rc.local
fi

if [ $# -eq 0 ]; then
    exec '/bin/entry' 'run'
else
    exec '/bin/entry' "$@"
fi
`;

for (const user of USERS) {
  const { denroot, root } = containerHome(user);
  const start = async (...args: string[]) => (await denroot.succeed(["start", ...args])).stdout;
  const inBox = (path: string, text: string) => {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const script = (name: string, text: string) => {
    const path = join(denroot.work, name);
    writeFileSync(path, text);
    chmodSync(path, 0o644);
    return path;
  };
  inBox("etc/environment", `PATH=${KEPT}\nA=image\n`);
  inBox("etc/profile", "PATH=/usr/bin:/bin\nPROFILE=read\nexport PROFILE\n");

  test(`a login shell reads the image's profile and keeps the container's PATH (as ${user})`, async () => {
    const text = "echo $PATH $PROFILE";
    assert.equal(await start("box", "sh", "-c", text), `${KEPT}:/usr/bin:/bin read\n`);
    const { stdout } = await denroot.succeed(["start", "box", "sh", "-c", text], {
      env: { ENROOT_LOGIN_SHELL: "no" },
    });
    assert.equal(stdout, `${KEPT}\n`);
  });

  test(`variables come from files and options, and the last one wins (as ${user})`, async () => {
    const file = script("variables.env", "A='file'\nFROM_HOST\n");
    const args = ["--env-file", file, "-e", "B=option", "-e", "FROM_HOST2", "box", "env"];
    const { stdout } = await denroot.succeed(["start", ...args], {
      env: { FROM_HOST: "one", FROM_HOST2: "two\nLD_PRELOAD=/evil.so" },
    });
    const lines = stdout.split("\n");
    for (const line of ["A=file", "FROM_HOST=one", "B=option", "FROM_HOST2=two"]) {
      assert.ok(lines.includes(line), line);
    }
  });

  test(`THE HOST'S FILES ARE STOLEN if an image's fstab may bind them (as ${user})`, async () => {
    script("secret", "the host's secret\n");
    inBox(
      "etc/fstab",
      `${denroot.work} /stolen none x-create=dir,bind\n` +
        `\${ENROOT_ROOTFS}/../../../../../../../..${denroot.work} /stolen2 none x-create=dir,bind,nofail\n` +
        "${ENROOT_ROOTFS}/volume /volume none x-create=dir,bind,rw\n",
    );
    inBox("volume/file", "volume");
    const text = "cat /stolen/secret /stolen2/secret; cat /volume/file";
    const { stdout, stderr } = await denroot.succeed(["start", "box", "sh", "-c", text]);
    assert.equal(stdout, "volume");
    assert.match(stderr, /\[WARN\] \/etc\/fstab of the image asks for more .* on "\/stolen"/);
    const all = { env: { DENROOT_IMAGE_MOUNTS: "all" } };
    assert.match(
      (await denroot.succeed(["start", "box", "cat", "/stolen/secret"], all)).stdout,
      /secret/,
    );
    rmSync(join(root, "etc/fstab"));
  });

  test(`pyxis's script mounts, sets and replaces the entrypoint (as ${user})`, async () => {
    inBox("etc/rc", RC);
    const path = script(
      "pyxis.conf",
      [
        "mounts() {",
        `\techo "${denroot.work}/pyxis.conf /x/with\\\\040blank x-create=auto,rbind,ro"`,
        "}",
        "environ() {",
        '\techo "PMIX_RANK=0"',
        "}",
        "hooks() {",
        '\tcat << "EOF" > ${ENROOT_ROOTFS}/etc/rc.local',
        'exec "$@"',
        "EOF",
        "}",
      ].join("\n"),
    );
    const text = 'echo $PMIX_RANK; pwd; head -n1 "/x/with blank"';
    assert.equal(
      await start("--conf", path, "box", "sh", "-c", text),
      "0\n/tmp/work\nmounts() {\n",
    );
    assert.ok(!readdirSync(join(root, "etc")).includes("rc.local"));
  });

  test(`a script's rc() and settings count, and options win over them (as ${user})`, async () => {
    const path = script("rc.conf", '#ENROOT_REMAP_ROOT=y\nrc() {\n  echo "$@"\n  id -u\n}\n');
    assert.equal(await start("--conf", path, "box", "a", "b c"), "a b c\n0\n");
    const own = script("own-rc", "echo own $1\n");
    assert.equal(await start("--conf", path, "--rc", own, "box", "a"), "own a\n");
  });

  test(`--workdir wins over the image's directory, once (as ${user})`, async () => {
    inBox("bin/entry", "pwd\ncd /\npwd\n");
    chmodSync(join(root, "bin/entry"), 0o755);
    inBox("etc/rc", RC);
    assert.equal(await start("box"), "/tmp/work\n/\n");
    const { exitCode, stderr } = await denroot.run(["start", "--workdir", "/opt", "box"]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /The container's \/opt cannot be entered/);
    mkdirSync(join(root, "opt"), { mode: 0o755 });
    assert.equal(await start("--workdir", "/opt", "box"), "/opt\n/\n");
  });

  test(`wrong options have the exit code of wrong use, wherever it is found out (as ${user})`, async () => {
    for (const options of [["--mount", "/a:/b:none:bind:0:0:0"], ["--env", "=x"], ["--no-such"]]) {
      const { exitCode, stdout } = await denroot.run(["start", ...options, "box", "true"]);
      assert.deepEqual([exitCode, stdout], [2, ""], options.join(" "));
    }
  });

  test(`a dry run prints the plan and changes nothing (as ${user})`, async () => {
    const before = readdirSync(root).sort();
    const args = ["start", "--dry-run", "-w", "-e", "A=option", "-m", "/etc:/a/b", "box", "ls"];
    const { stdout } = await denroot.succeed(args);
    assert.match(stdout, /^ {2}\/etc on \/a\/b \(rbind,x-create=auto\) \[--mount\]$/m);
    assert.match(stdout, /^ {2}A=option \[--env, not \/etc\/environment of the image\]$/m);
    const json = JSON.parse((await denroot.succeed([...args.slice(0, 2), "--json", "box"])).stdout);
    assert.equal(json.command.path, "/bin/sh");
    assert.deepEqual(
      readdirSync(root).sort().filter((name) => name !== ".lock"),
      before.filter((name) => name !== ".lock"),
    );
  });

  test(`an image without a shell runs its program (as ${user})`, async () => {
    rmSync(join(root, "bin/sh"));
    rmSync(join(root, "bin/entry"));
    inBox("etc/rc", RC.replaceAll("/bin/entry", "/bin/echo"));
    assert.equal(await start("box"), "run\n");
    assert.equal(await start("box", "a  b"), "a  b\n");
    inBox("etc/rc", 'echo "$HOME"\n');
    const { stderr } = await denroot.run(["start", "box"]);
    assert.match(stderr, /The container has no shell, and its command script \/etc\/rc needs one/);
  });
}
