/** Lines of a mount table are carried out in real namespaces, and never outside of the root. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ENTRIES, type Entry, newPlace, runMounting } from "./run_mounting.ts";

const entries = Object.keys(ENTRIES) as Entry[];

for (const entry of entries) {
  test(`binds, memory and missing targets are mounted as ${entry}`, async () => {
    const { root, host } = newPlace();
    mkdirSync(join(host, "data"));
    writeFileSync(join(host, "data/file"), "data");
    writeFileSync(join(host, "one file"), "file");
    writeFileSync(join(root, "etc/kept"), "kept");
    const { errors, warnings, texts, mounts } = await runMounting(entry, {
      root,
      lines: [
        `${host}/data /a/b none x-create=dir,bind,ro,nosuid,nodev,noexec`,
        `${host}/one\\040file /c/d`,
        `${host}/data /e`,
        `${host}/one\\040file /etc/kept none x-create=dir,bind`,
        "tmpfs /t tmpfs x-create=dir,size=64k,mode=755,private",
        "none /nothing none x-detach,nofail,silent",
        "none /nothing none x-detach,nofail",
        "none /t none x-create=dir,x-detach",
      ],
      read: ["/a/b/file", "/c/d", "/e/file", "/etc/kept"],
    });
    assert.deepEqual(errors, []);
    assert.deepEqual(texts, ["data", "file", "data", "file"]);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /"\/nothing", as the test asks: the container has no such target/);
    assert.deepEqual(mounts.map(({ target }) => target).sort(), [
      "/a/b",
      "/c/d",
      "/e",
      "/etc/kept",
    ]);
    const bound = mounts.find(({ target }) => target === "/a/b")!;
    for (const word of ["ro", "nosuid", "nodev", "noexec"]) assert.ok(bound.options.includes(word));
    assert.equal(statSync(join(root, "a/b")).mode & 0o7777, 0);
    assert.equal(statSync(join(root, "a")).mode & 0o7777, 0o755);
    assert.equal(statSync(join(root, "c/d")).mode & 0o170777, 0o100000);
  });

  test(`AN IMAGE MAKES WRITABLE what is mounted read-only if this fails, as ${entry}`, async () => {
    const { root, host } = newPlace();
    mkdirSync(join(root, "etc/own"));
    const { errors, mounts } = await runMounting(entry, {
      root,
      lines: [
        `${host} /data none x-create=dir,bind,ro`,
        "${ENROOT_ROOTFS}/data /again own x-create=dir,bind,rw",
        "${ENROOT_ROOTFS}/data /data own bind,rw",
        "${ENROOT_ROOTFS}/etc/own /etc/own own bind,rw",
      ],
      read: [],
    });
    assert.deepEqual(errors, []);
    assert.deepEqual(mounts.map(({ target }) => target).sort(), ["/data", "/etc/own"]);
    const data = mounts.find(({ target }) => target === "/data")!;
    assert.ok(data.options.includes("ro"), data.options.join());
  });

  test(`"rbind,ro" holds for mounts below the source as ${entry}`, async () => {
    const { root, host } = newPlace();
    mkdirSync(join(host, "below"));
    const prepare = `mount -t tmpfs tmpfs "${host}/below"`;
    const { errors, mounts } = await runMounting(entry, {
      root,
      lines: [`${host} /a none x-create=dir,rbind,ro`, `${host} /b none x-create=dir,rbind,nosuid`],
      read: [],
    }, prepare);
    assert.deepEqual(errors, []);
    const options = (target: string) =>
      mounts.find((mount) => mount.target === target)!.options.filter((word) =>
        /^r[ow]$/.test(word)
      );
    assert.deepEqual(options("/a/below"), ["ro"]);
    assert.deepEqual(options("/b/below"), ["rw"]);
  });

  test(`a remount and a move change what is mounted as ${entry}`, async () => {
    const { root, host } = newPlace();
    const { errors, mounts } = await runMounting(entry, {
      root,
      lines: [
        `${host} /a none x-create=dir,bind`,
        "none /a none remount,bind,ro",
        "tmpfs /b tmpfs x-create=dir",
        "${ENROOT_ROOTFS}/b /c none x-create=dir,x-move",
        "none /c none shared",
        `${host} /d none x-create=dir,bind,ro`,
        "none /d none remount,bind,rw",
      ],
      read: [],
    });
    assert.deepEqual(errors, []);
    const found = Object.fromEntries(mounts.map((mount) => [mount.target, mount]));
    assert.deepEqual(Object.keys(found).sort(), ["/a", "/c", "/d"]);
    assert.ok(found["/a"]!.options.includes("ro"));
    assert.ok(found["/d"]!.options.includes("rw"));
    assert.deepEqual(found["/c"]!.propagation, ["shared"]);
  });

  test(`THE HOST IS CHANGED if links in targets lead out of the root, as ${entry}`, async () => {
    const { root, host } = newPlace();
    writeFileSync(join(host, "secret"), "secret");
    symlinkSync(host, join(root, "absolute"));
    symlinkSync(`../../../../../..${host}`, join(root, "relative"));
    symlinkSync(join(host, "new"), join(root, "dangling"));
    const { errors, mounts, texts } = await runMounting(entry, {
      root,
      lines: [
        "tmpfs /absolute/a tmpfs x-create=dir",
        "tmpfs /relative/b tmpfs x-create=dir",
        "tmpfs /dangling tmpfs x-create=dir",
        "tmpfs /../../../up tmpfs x-create=dir",
        "${ENROOT_ROOTFS}/absolute /stolen none x-create=dir,bind",
        `\${ENROOT_ROOTFS}/../host /stolen2 none x-create=dir,bind`,
      ],
      read: ["/stolen/secret", "/stolen2/secret"],
    });
    assert.deepEqual(texts, [null, null]);
    // In the root lies a directory with the path that the host's has outside.
    const targets = [`${host}/a`, `${host}/b`, `${host}/new`, "/stolen"];
    assert.deepEqual(mounts.map(({ target }) => target).sort(), targets.sort());
    assert.equal(errors.length, 2);
    assert.match(errors[0]!, /cross-device link: the target leads out of the container/);
    assert.match(errors[1]!, /this machine has no such source/);
    assert.deepEqual(readdirSync(host), ["secret"]);
    assert.ok(!existsSync(join(root, "../up")));
  });
}

test("what is wrong is said, with the side, the line's origin and a remedy", async () => {
  const { root, host } = newPlace();
  mkdirSync(join(host, "below"));
  writeFileSync(join(host, "file"), "");
  const { errors } = await runMounting("an ordinary user", {
    root,
    lines: [
      "/missing/source /x none x-create=auto,bind",
      `${host} /missing none bind`,
      `${host} /x none x-create=dir,bind`,
      `${host}/file /etc none bind`,
      `${host} /etc none ro`,
      "none /etc nosuchfs",
      "none /etc ext4",
    ],
    read: [],
  }, `mount -t tmpfs tmpfs "${host}/below"; exec unshare --user --map-root-user --mount "$@"`);
  const expected = [
    /^"\/missing\/source" cannot be mounted on "\/x", as the test asks: this machine has no such/,
    /the container has no such target; .*x-create=dir/,
    /other things are mounted below the source; Use "rbind"/,
    /one of the two is a directory/,
    /the line does not say how; Add "bind"/,
    /no file system "nosuchfs"/,
    /does not allow it in a user namespace/,
  ];
  assert.equal(errors.length, expected.length);
  for (const [index, pattern] of expected.entries()) assert.match(errors[index]!, pattern);
});
