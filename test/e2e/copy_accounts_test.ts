/** Who a copy is at each side, and how it learns the password. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { useDenroot } from "../helpers/denroot_command.ts";
import { writeImage } from "../helpers/image_fixture.ts";
import { type Registry, startRegistry } from "../helpers/registry_server.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { file } from "../helpers/tar_fixture.ts";
import { openTerminal } from "../helpers/terminal.ts";

const layout = join(scratchDirectory("accounts"), "layout");
const denroot = useDenroot();
const password = "p4ss-w0rd-that-nobody-may-see";
let closed: Registry;
let sealed: Registry;

before(async () => {
  writeImage(layout, { layers: [[file("a", "1")]], tag: "one" });
  [closed, sealed] = await Promise.all([
    startRegistry({ auth: "htpasswd", user: "writer", password }),
    startRegistry({ tls: true }),
  ]);
});
after(() => Promise.all([closed.stop(), sealed.stop()]));

test("each side has its own account, and the side that refuses is named", async () => {
  const to = `docker://${closed.host}/team/app:v1`;
  const from = `oci:${layout}:one`;
  const refused = await denroot.run(["copy", from, to]);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /\[ERROR\] The destination docker:\/\//);
  const asUser = ["--dest-user", "writer", "--dest-password-stdin"];
  const sent = await denroot.succeed(["copy", ...asUser, from, to], { input: `${password}\n` });
  const wrong = await denroot.run(["copy", ...asUser, from, to, "--force"], { input: "wrong\n" });
  assert.equal(wrong.exitCode, 1);
  const auths = { [closed.host]: { auth: Buffer.from(`writer:${password}`).toString("base64") } };
  const authFile = join(denroot.home, "auth.json");
  writeFileSync(authFile, JSON.stringify({ auths }), { mode: 0o600 });
  const pulled = await denroot.succeed(["copy", "--src-authfile", authFile, to, "oci:pulled:v1"]);
  for (const { stdout, stderr } of [refused, sent, wrong, pulled]) {
    assert.ok(!(stdout + stderr).includes(password));
  }
});

test("a password is asked for on the terminal, and Ctrl-C ends the question", async () => {
  const to = `docker://${closed.host}/asked/app:v1`;
  const args = ["copy", "--dest-user", "writer", `oci:${layout}:one`, to];
  const command = [...denroot.runtime.command, ...args].map((word) => `'${word}'`).join(" ");
  const env = denroot.environment() as Record<string, string>;
  const asked = openTerminal(command, { cwd: denroot.work, env });
  await asked.expect(/Password of user writer at \S+: $/);
  asked.type(`${password}\r`);
  assert.ok(!(await asked.expect(/Copied to docker:/)).includes(password));
  await asked.close();
  const stopped = openTerminal(`${command} --force; echo "code $?"`, { cwd: denroot.work, env });
  await stopped.expect(/Password of user writer at \S+: $/);
  stopped.type("\x03");
  await stopped.expect(/Interrupted by SIGINT\s+code 130/);
  await stopped.close();
});

test("a registry that speaks HTTPS is found where HTTP is allowed, and a list may trust it", async () => {
  const to = `docker://${sealed.host}/team/app:v1`;
  const from = `oci:${layout}:one`;
  await denroot.succeed(["copy", "--dest-http", "--dest-tls-ca", sealed.caFile!, from, to]);
  const list = (more: string) => {
    writeFileSync(
      join(denroot.work, "list.yaml"),
      `${sealed.host}:\n  images: {team/app: [v1]}\n${more}`,
    );
    return denroot.run(["sync", "list.yaml", "oci:trusted"]);
  };
  assert.match((await list("")).stderr, /certificate of \S+ is not trusted/);
  assert.match((await list("  tls-verify: false\n")).stderr, /1 copied/);
});
