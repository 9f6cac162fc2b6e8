/** Which file an import writes: links, devices, streams, directories, names that are no text. */

import assert from "node:assert/strict";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Denroot, testEachRuntime, testOneRuntime } from "../helpers/denroot_command.ts";
import { writeImage } from "../helpers/image_fixture.ts";
import { asNobody } from "../helpers/other_user.ts";
import { runProgram, startProgram } from "../helpers/run_program.ts";
import { file } from "../helpers/tar_fixture.ts";

function layoutIn(denroot: Denroot): string {
  return writeImage(join(denroot.home, "layout"), { layers: [[file("a", "a")]] }).directory;
}

function isImage(path: string): boolean {
  return lstatSync(path).isFile() && readFileSync(path).subarray(0, 4).toString() === "hsqs";
}

/** Bash in the working directory, with the command in "$@". */
async function inBash(denroot: Denroot, script: string, args: readonly string[] = []) {
  return await startProgram("bash", ["-c", script, "bash", ...denroot.runtime.command, ...args], {
    cwd: denroot.work,
    env: denroot.environment(),
  }).done;
}

testEachRuntime("an output that is a link is followed, also to a new file", async (denroot) => {
  const uri = `oci:${layoutIn(denroot)}:latest`;
  mkdirSync(join(denroot.work, "real/below"), { recursive: true });
  writeFileSync(join(denroot.work, "real/old.sqsh"), "old");
  symlinkSync("real/old.sqsh", join(denroot.work, "link"));
  symlinkSync("real/new.sqsh", join(denroot.work, "dangling"));
  symlinkSync("real/below", join(denroot.work, "below"));
  for (
    const [output, written] of [
      ["link", "real/old.sqsh"],
      ["dangling", "real/new.sqsh"],
      // Not ./up.sqsh: the kernel goes up from the link's target.
      ["below/../up.sqsh", "real/up.sqsh"],
    ] as const
  ) {
    const args = ["import", "--json", "--force", "-o", output, uri];
    const result = JSON.parse((await denroot.succeed(args)).stdout);
    assert.equal(result.output, join(denroot.work, written));
    assert.ok(isImage(join(denroot.work, written)), output);
  }
  assert.equal(readlinkSync(join(denroot.work, "link")), "real/old.sqsh");
  assert.equal(readlinkSync(join(denroot.work, "dangling")), "real/new.sqsh");
});

const LONG = "x".repeat(256);
const REFUSED: readonly (readonly [output: string, exitCode: number, message: RegExp])[] = [
  ["-", 2, /The output - is an open stream.*\n +For a file of this name, write \.\/-/],
  ["/dev/stdout", 2, /\/dev\/stdout is an open stream/],
  ["/dev/fd/1", 2, /\/dev\/fd\/1 is an open stream/],
  ["/proc/self/fd/1", 2, /\/proc\/self\/fd\/1 is an open stream/],
  ["/proc/thread-self/fd/7", 2, /is an open stream/],
  ["stdout-link", 2, /stdout-link is an open stream/],
  ["/dev/null", 1, /\/dev\/null exists and is not a regular file/],
  ["fifo", 1, /fifo exists and is not a regular file/],
  [".", 2, /names a directory\n +Name a file in it/],
  ["..", 2, /names a directory/],
  ["directory", 2, /names a directory/],
  ["directory/", 2, /names a directory/],
  ["new/", 2, /The output new\/ names a directory/],
  ["loop", 1, /loop is a symbolic link that leads nowhere/],
  ["none/x.sqsh", 1, /The directory .*none for the output does not exist/],
  ["note/x.sqsh", 1, /note/],
  [LONG, 1, /its name is too long/],
  [`${"d/".repeat(2100)}x.sqsh`, 1, /cannot be used: it is too long|for the output does not exist/],
  ["/proc/x.sqsh", 1, /The directory \/proc for the output/],
  ["../layout/index.json", 1, /index.json is (in .*layout, which|what)/],
  ["../layout/new.sqsh", 1, /new.sqsh is in .*layout, which the image is made from/],
];

testOneRuntime(
  "an output that cannot be a new file is refused, with force too",
  async (denroot) => {
    const uri = `oci:${layoutIn(denroot)}:latest`;
    mkdirSync(join(denroot.work, "directory"));
    writeFileSync(join(denroot.work, "note"), "mine");
    await runProgram("mkfifo", [join(denroot.work, "fifo")]);
    symlinkSync("loop", join(denroot.work, "loop"));
    symlinkSync("/dev/stdout", join(denroot.work, "stdout-link"));
    const before = readdirSync(denroot.work);
    const index = readFileSync(join(denroot.home, "layout/index.json"));
    for (const [output, exitCode, message] of REFUSED) {
      const result = await denroot.run(["import", "--force", "-o", output, uri]);
      assert.equal(result.exitCode, exitCode, `${output}: ${result.stderr}`);
      assert.match(result.stderr, message);
      assert.doesNotMatch(result.stderr, /--force/, output);
    }
    assert.ok(lstatSync("/dev/stdout").isSymbolicLink());
    assert.deepEqual(readdirSync(denroot.work), before);
    assert.deepEqual(readFileSync(join(denroot.home, "layout/index.json")), index);
  },
);

testOneRuntime(
  "a file that cannot be replaced is seen before the image is looked for",
  async (denroot) => {
    const shared = join(denroot.work, "shared");
    const [file, locked, growing] = ["file", "locked", "growing"].map((name) => join(shared, name));
    for (const path of [denroot.home, denroot.work]) chmodSync(path, 0o755);
    mkdirSync(shared);
    chmodSync(shared, 0o1777);
    mkdirSync(growing!);
    const link = join(denroot.work, "link");
    symlinkSync(growing!, link);
    for (const path of [file!, locked!]) writeFileSync(path, "mine");
    const lock = startProgram("chattr", ["+i", locked!]);
    const grow = startProgram("chattr", ["+a", growing!]);
    // Not every file system has these attributes.
    const hasThem = (await lock.done).exitCode === 0 && (await grow.done).exitCode === 0;
    const command = [...denroot.runtime.command, "import", "--force", "oci:none:latest", "-o"];
    const mount = ["unshare", "--mount", "sh", "-ec", 'mount --bind /etc/passwd "$0"; exec "$@"'];
    const other = [...asNobody, "env", "HOME=/nonexistent", "ENROOT_CACHE_PATH=/nonexistent"];
    const cases: [string[], RegExp][] = [
      [[...other, ...command, file!], /file is another user's, in a directory where/],
      [[...mount, file!, ...command, file!], /file is the place of a mount/],
    ];
    if (hasThem) {
      cases.push(
        [[...command, locked!], /locked is immutable \(chattr \+i\)/],
        [
          [
            ...["env", `ENROOT_DATA_PATH=${link}`, ...denroot.runtime.command],
            ...["load", "oci:none:latest"],
          ],
          /link is append-only \(chattr \+a\)/,
        ],
        [[...command, `${growing}/new`], /growing for the output is append-only \(chattr \+a\)/],
      );
    }
    try {
      for (const [[program, ...args], message] of cases) {
        const options = { cwd: denroot.work, env: denroot.environment() };
        const { exitCode, stderr } = await startProgram(program!, args, options).done;
        assert.equal(exitCode, 1);
        assert.match(stderr, message);
      }
    } finally {
      await startProgram("chattr", ["-i", locked!]).done;
      await startProgram("chattr", ["-a", growing!]).done;
    }
    assert.deepEqual(readdirSync(growing!), []);
    assert.deepEqual(readdirSync(shared).sort(), ["file", "growing", "locked"]);
  },
);

testOneRuntime("the archive that is read is never the output", async (denroot) => {
  const archive = join(denroot.work, "a.tar");
  await runProgram("tar", ["-C", layoutIn(denroot), "-cf", archive, "."]);
  symlinkSync("a.tar", join(denroot.work, "link.tar"));
  const { size } = statSync(archive);
  for (
    const [input, output] of [["a.tar", "a.tar"], ["link.tar", "a.tar"], ["a.tar", "link.tar"]]
  ) {
    const { exitCode, stderr } = await denroot.run([
      ...["import", "--force", "-o", output!, `oci-archive:${input}`],
    ]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /a\.tar is what the image is made from/);
  }
  assert.equal(statSync(archive).size, size);
});

testOneRuntime("a definition's output is checked alike, and its line is named", async (denroot) => {
  const uri = `oci:${layoutIn(denroot)}:latest`;
  const path = join(denroot.work, "app");
  for (
    const [output, message] of [
      ["/dev/stdout", /app, line 3: The output \/dev\/stdout is an open stream/],
      ["-", /app, line 3: The output - is an open stream/],
      ["new/", /app, line 3: The output new\/ names a directory/],
      ["none/x.sqsh", /app, line 3: The directory .*none/],
      ["app", /app, line 3: .*app (is what the image is made from|is there already)/],
    ] as const
  ) {
    writeFileSync(path, `#!/usr/bin/env denroot\nimage ${uri}\noutput ${output}\n`);
    const { exitCode, stderr } = await denroot.run(["./app", "--force"]);
    assert.notEqual(exitCode, 0);
    assert.match(stderr, message);
    assert.match(readFileSync(path, "utf8"), /^#!/);
  }
});

testEachRuntime("names that are not UTF-8 are refused, and nothing is made", async (denroot) => {
  const uri = `oci:${layoutIn(denroot)}:latest`;
  await inBash(denroot, String.raw`mkdir $'dir\xff' && ln -s $'dir\xff' link`);
  for (
    const [script, message] of [
      [String.raw`"$@" -o $'x\xff.sqsh' ${uri}`, /The argument "x\ufffd.sqsh" is not UTF-8/],
      [String.raw`"$@" $'oci:l\xff:latest'`, /The argument "oci:l\ufffd:latest" is not UTF-8/],
      [String.raw`"$@" -o link/x.sqsh ${uri}`, /real path of .*link is not UTF-8/],
      [
        String.raw`ENROOT_CACHE_PATH=$'/tmp/c\xff' "$@" -o x.sqsh ${uri}`,
        /variable ENROOT_CACHE_PATH is not UTF-8/,
      ],
      [String.raw`HOME=$'/tmp/h\xff' "$@" -o x.sqsh ${uri}`, /variable HOME is not UTF-8/],
      ["ENROOT_CACHE_PATH=/tmp/c\ufffd " + `"$@" -o x.sqsh ${uri}`, /a path in UTF-8/],
    ] as const
  ) {
    const { exitCode, stderr } = await inBash(denroot, script, ["import"]);
    assert.notEqual(exitCode, 0, script);
    assert.match(stderr, message);
  }
  assert.deepEqual(readdirSync(denroot.work).filter((name) => name.endsWith(".sqsh")), []);
});

testOneRuntime("a name with the character U+FFFD is a name like any other", async (denroot) => {
  await denroot.succeed(["import", "-o", "x\ufffd.sqsh", `oci:${layoutIn(denroot)}:latest`]);
  assert.ok(isImage(join(denroot.work, "x\ufffd.sqsh")));
});

testOneRuntime("in a directory whose name is no text, absolute paths work", async (denroot) => {
  const uri = `oci:${layoutIn(denroot)}:latest`;
  const enter = String.raw`mkdir -p $'dir\xff'; cd $'dir\xff'; `;
  const refused = await inBash(denroot, `${enter}"$@" -o x.sqsh ${uri}`, ["import"]);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /\/proc\/self\/cwd is not UTF-8/);
  const taken = await inBash(denroot, `${enter}"$@" -o ${denroot.work}/x.sqsh ${uri}`, ["import"]);
  assert.equal(taken.exitCode, 0, taken.stderr);
});
