/** The user in a container, also in one that tries to lead the hook out of its root. */

import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { accounts } from "../../../lib/system/host/accounts.ts";
import { shadowHook } from "../../../lib/container/hooks/shadow.ts";
import { runProgram } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { hookContext } from "./hook_fixture.ts";

const scratch = scratchDirectory("shadow");
/** A user that no machine has. */
const stranger = { insideUid: 3999999999, outsideUid: 3999999999, insideGid: 7, outsideGid: 7 };

function files(root: string, contents: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(contents)) {
    const path = join(root, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text);
  }
}

test("the user, root and nobody come first, with the host's shell where the image has it", async () => {
  const me = (await accounts()).user(process.getuid!())!;
  const { context, root } = await hookContext({
    make: (path) => {
      files(path, { "etc/passwd": "bin:x:2:2:::\n", [me.shell.slice(1)]: "" });
      chmodSync(join(path, me.shell), 0o755);
    },
  });
  await shadowHook.run(context);
  const passwd = readFileSync(join(root.path, "etc/passwd"), "utf8").split("\n");
  const own = passwd.find((line) => line.split(":")[2] === String(me.uid))!;
  assert.ok(own.endsWith(`:${me.name === "root" ? "/root" : me.home}:${me.shell}`), own);
  assert.ok(passwd[1]!.startsWith("nobody:x:65534:65534:"));
  assert.equal(statSync(join(root.path, "etc/passwd")).mode & 0o777, 0o644);
});

test("a second start writes nothing", async () => {
  const { context, root } = await hookContext({ namespaces: { user: stranger } });
  const states = () =>
    ["passwd", "group"].map((name) => {
      const { ino, mtimeMs } = lstatSync(join(root.path, "etc", name));
      return [ino, mtimeMs];
    });
  await shadowHook.run(context);
  const before = states();
  await shadowHook.run(context);
  assert.deepEqual(states(), before);
});

test("a user that the host does not know is called as the environment says", async () => {
  const { context, root } = await hookContext({
    namespaces: { user: stranger },
    environment: { USER: "pod", HOME: "/work/pod" },
  });
  await shadowHook.run(context);
  const passwd = readFileSync(join(root.path, "etc/passwd"), "utf8");
  assert.match(passwd, /^pod:x:3999999999:7::\/work\/pod:\/bin\/sh$/m);
});

test("a home is made from the image's skeleton, by the image's rules, and only once", async () => {
  const { context, root } = await hookContext({
    namespaces: { user: stranger },
    environment: { USER: "ann", HOME: "/home/ann" },
    make: (path) => {
      files(path, {
        "etc/login.defs": "# UMASK 000\nUMASK\t027\n",
        "etc/default/useradd": "SHELL=/bin/zsh\nSKEL=/skel\nCREATE_MAIL_SPOOL=yes\n",
        "skel/.profile": "p",
        "skel/.config/x": "x",
        "etc/shared": "s",
      });
      chmodSync(join(path, "skel/.profile"), 0o600);
      symlinkSync("/etc/shared", join(path, "skel/link"));
      symlinkSync("/", join(path, "skel/loop"));
    },
  });
  await shadowHook.run(context);
  const home = join(root.path, "home/ann");
  assert.equal(statSync(home).mode & 0o777, 0o750);
  assert.equal(statSync(join(home, ".profile")).mode & 0o777, 0o600);
  assert.equal(readFileSync(join(home, ".config/x"), "utf8"), "x");
  assert.ok(lstatSync(join(home, "link")).isFile());
  assert.ok(existsSync(join(root.path, "var/mail/ann")));
  assert.match(readFileSync(join(root.path, "etc/passwd"), "utf8"), /^root:.*:\/bin\/zsh$/m);
  writeFileSync(join(home, ".profile"), "own");
  await shadowHook.run(context);
  assert.equal(readFileSync(join(home, ".profile"), "utf8"), "own");
});

test("nobody lives in / and root in /root, also when they start the container", async () => {
  const nobody = { insideUid: 65534, outsideUid: 65534, insideGid: 65534, outsideGid: 65534 };
  const { context, root } = await hookContext({
    namespaces: { user: nobody },
    environment: { USER: "nobody", HOME: "/nonexistent" },
  });
  await shadowHook.run(context);
  const passwd = readFileSync(join(root.path, "etc/passwd"), "utf8");
  assert.match(passwd, /^nobody:x:65534:65534:[^:]*:\/:\/bin\/sh$/m);
  assert.deepEqual(readdirSync(root.path), ["etc"]);
});

test("an image that wants no homes gets none", async () => {
  const { context, root } = await hookContext({
    namespaces: { user: stranger },
    environment: { HOME: "/home/x" },
    make: (path) => files(path, { "etc/login.defs": "CREATE_HOME no\n" }),
  });
  await shadowHook.run(context);
  assert.deepEqual(readdirSync(root.path), ["etc"]);
});

test("A FILE OF THE HOST IS NEITHER READ NOR CHANGED through links of the image", async () => {
  const outside = join(scratch, "outside");
  mkdirSync(outside);
  const secret = "root:$6$hash:1::::::\n";
  for (const name of ["passwd", "group", "shadow"]) writeFileSync(join(outside, name), secret);
  const hostile: readonly ((path: string) => void)[] = [
    (path) => symlinkSync(outside, join(path, "etc")),
    (path) => symlinkSync(`../../../../../../..${outside}`, join(path, "etc")),
    (path) => {
      mkdirSync(join(path, "etc"));
      for (const name of ["passwd", "group", "shadow"]) {
        symlinkSync(join(outside, name), join(path, "etc", name));
      }
    },
  ];
  for (const make of hostile) {
    const { context, root } = await hookContext({ make, namespaces: { user: stranger } });
    await shadowHook.run(context);
    for (const name of ["passwd", "group", "shadow"]) {
      assert.equal(readFileSync(join(outside, name), "utf8"), secret);
    }
    const passwd = new TextDecoder().decode(root.read("/etc/passwd", 1000));
    assert.ok(passwd.startsWith("root:x:0:0:") && !passwd.includes("hash"));
  }
  assert.deepEqual(readdirSync(outside).sort(), ["group", "passwd", "shadow"]);
});

test("FIFOs in the place of tables and settings do not stop a start", async () => {
  const { context, root } = await hookContext({ make: (path) => mkdirSync(join(path, "etc")) });
  await runProgram("mkfifo", ["passwd", "group", "shadow", "login.defs"], {
    cwd: join(root.path, "etc"),
  });
  await shadowHook.run(context);
  assert.equal(root.kind("/etc/passwd"), "file");
  assert.equal(root.kind("/etc/shadow"), "other");
});

test("a shadow table keeps its permissions", async () => {
  const { context, root } = await hookContext({
    namespaces: { user: stranger },
    environment: { USER: "ann" },
    make: (path) => {
      files(path, { "etc/shadow": "root:*:::::::\n" });
      chmodSync(join(path, "etc/shadow"), 0o600);
    },
  });
  await shadowHook.run(context);
  const path = join(root.path, "etc/shadow");
  assert.equal(readFileSync(path, "utf8"), "root:*:::::::\nnobody:*:::::::\nann:*:::::::\n");
  assert.equal(statSync(path).mode & 0o777, 0o600);
});
