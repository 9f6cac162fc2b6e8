/** The hooks for apt, the home, the time zone and devices. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { aptfixHook } from "../../../lib/container/hooks/aptfix.ts";
import { BUILT_IN_HOOKS } from "../../../lib/container/hooks/built_in_hooks.ts";
import { deviceMounts, devicesHook } from "../../../lib/container/hooks/devices.ts";
import { homeHook } from "../../../lib/container/hooks/home.ts";
import { localtimeHook } from "../../../lib/container/hooks/localtime.ts";
import { hookContext, ROOT_MAP } from "./hook_fixture.ts";

const SAME_USER = { ...ROOT_MAP, insideUid: 1234, outsideUid: 1234 };

test("built-in hooks have enroot's names, in their order", () => {
  const names = BUILT_IN_HOOKS.map(({ name }) => name);
  assert.deepEqual(names, [...names].sort());
  assert.ok(names.every((name) => /^\d\d-[a-z-]+\.sh$/.test(name)));
});

test("apt works as root in images of Debian, and other images stay as they are", async () => {
  const debian = await hookContext({
    make: (path) => {
      mkdirSync(join(path, "etc"));
      writeFileSync(join(path, "etc/debian_version"), "13\n");
    },
  });
  assert.notEqual(aptfixHook.reason(debian.context), undefined);
  await aptfixHook.run(debian.context);
  const path = join(debian.root.path, "etc/apt/apt.conf.d/enroot");
  assert.equal(readFileSync(path, "utf8"), 'APT::Sandbox::User "root";\n');
  const other = await hookContext();
  await aptfixHook.run(other.context);
  assert.deepEqual(other.root.list("/"), []);
  const user = await hookContext({ namespaces: { user: SAME_USER } });
  assert.equal(aptfixHook.reason(user.context), undefined);
});

test("the home is mounted where the container's user has it", async () => {
  const settings = { mountHome: true };
  const environment = { HOME: "/home/ann b" };
  const user = await hookContext({ settings, environment, namespaces: { user: SAME_USER } });
  await homeHook.run(user.context);
  assert.deepEqual(user.later.map(({ source, target }) => [source, target]), [
    ["/home/ann b", "/home/ann b"],
  ]);
  assert.equal(user.variables.get("HOME"), "/home/ann b");
  const root = await hookContext({ settings, environment });
  await homeHook.run(root.context);
  assert.equal(root.later[0]!.target, "/root");
  assert.ok(root.later[0]!.options.includes("rbind"));
  assert.equal(root.variables.get("HOME"), "/root");
  assert.equal(homeHook.reason((await hookContext()).context), undefined);
});

test("the time zone is the host's, also where the image lacks it", async () => {
  const { context, root } = await hookContext();
  let zone: string | undefined;
  try {
    zone = readlinkSync("/etc/localtime");
  } catch {
    // This machine has no link, and the hook nothing to do.
  }
  assert.equal(localtimeHook.reason(context) === undefined, zone === undefined);
  await localtimeHook.run(context);
  if (zone === undefined) return assert.deepEqual(root.list("/"), []);
  assert.equal(root.readLink("/etc/localtime"), zone);
  using copy = root.hold("/etc/localtime");
  assert.deepEqual(readFileSync(copy!.path), readFileSync("/etc/localtime"));
});

test("a directory in the time zone's place stays", async () => {
  const { context, root } = await hookContext({
    make: (path) => mkdirSync(join(path, "etc/localtime"), { recursive: true }),
  });
  await localtimeHook.run(context);
  assert.deepEqual([root.kind("/etc/localtime"), root.list("/etc/localtime")], ["directory", []]);
});

test("THE ZONE IS NOT WRITTEN TO THE HOST through a link of the image", async () => {
  const { context, root } = await hookContext({
    make: (path) => symlinkSync("/nowhere/on/the/host", join(path, "usr")),
  });
  await localtimeHook.run(context);
  assert.throws(() => readFileSync("/nowhere"), /ENOENT/);
  assert.ok(["directory", undefined].includes(root.kind("/nowhere")));
});

test("devices: the private ones come first, and missing ones of the host are no error", () => {
  const targets = (ownIpc: boolean, terminal?: string) =>
    deviceMounts(ownIpc, terminal).map(({ source, target }) => `${source} ${target}`);
  const shared = targets(false);
  assert.deepEqual(shared.slice(0, 2), ["none /dev", "tmpfs /dev"]);
  assert.ok(shared.includes("/dev/shm /dev/shm") && shared.includes("/dev/mqueue /dev/mqueue"));
  const own = targets(true, "/dev/pts/3");
  assert.ok(own.includes("tmpfs /dev/shm") && own.includes("mqueue /dev/mqueue"));
  assert.equal(own.at(-1), "/dev/pts/3 /dev/console");
  for (const name of ["/dev/log", "/dev/hugepages"]) {
    const line = deviceMounts(false, undefined).find(({ target }) => target === name)!;
    assert.ok(line.options.includes("nofail"));
  }
});

test("a container with memory of its own gets devices of its own", async () => {
  const { context } = await hookContext({ namespaces: { ipc: true } });
  assert.notEqual(devicesHook.reason(context), undefined);
  const restricted = await hookContext({ settings: { restrictDev: true } });
  assert.notEqual(devicesHook.reason(restricted.context), undefined);
  await devicesHook.run(restricted.context);
  assert.equal(restricted.root.readLink("/dev/ptmx"), "/dev/pts/ptmx");
  assert.equal(devicesHook.reason((await hookContext()).context), undefined);
});
