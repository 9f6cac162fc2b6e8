/** An ordinary user's own storage: files of other users are read inside `podman unshare`. */

import assert from "node:assert/strict";
import { chownSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Denroot, readableDenroot } from "../helpers/denroot_command.ts";
import { asNobodyWithIds, nobody } from "../helpers/other_user.ts";
import { runProgram, startProgram } from "../helpers/run_program.ts";
import { StorageFixture } from "../helpers/storage_fixture.ts";
import { compareTrees, type Comparison, listImage } from "../helpers/tree_listing.ts";

const fixture = new StorageFixture();
const uri = "containers-storage:rich:1";
let users = 0;

testAsUser(
  "a rootless storage is read by its user, files of mapped users included",
  'driver = "vfs"',
  async (user) => {
    const digest = await user.run(...user.denroot(["digest", uri]));
    assert.equal(digest.stdout, `${fixture.image.manifest.digest}\n`);
    const output = join(user.home, "refused.sqsh");
    const refused = await user.start(...user.denroot(["import", "--output", output, uri])).done;
    assert.match(
      refused.stderr,
      /The layer's file "secret\/key" must not be read by this user\n.*podman unshare denroot/,
    );
    assert.equal(existsSync(output), false);
    await assertSame(await user.importUnshared(), { directoryTimes: true });
    const foreign = await fixture.store("root", "vfs", "localhost/rich:1");
    const closed = await user.start(...user.denroot(["digest", `${foreign}rich:1`])).done;
    assert.match(
      closed.stderr,
      /The storage ".*" is not readable for this user\n.*which may be root/,
    );
  },
);

testAsUser(
  "a rootless overlay's own marks of deletions are understood",
  'driver = "overlay"',
  async (user) => {
    assert.equal(fixture.forgetRecipes(user.name), 3);
    await assertSame(await user.importUnshared(), {});
  },
);

testAsUser(
  "a storage that gives all files to one user still knows their modes",
  'driver = "overlay"\n[storage.options.overlay]\nmount_program = "/usr/bin/fuse-overlayfs"\n' +
    'force_mask = "700"\nignore_chown_errors = "true"',
  async (user) => {
    const output = join(user.home, "plain.sqsh");
    await user.run(...user.denroot(["import", "--output", output, uri]));
    await assertSame(output, { directoryTimes: true });
    assert.equal(fixture.forgetRecipes(user.name), 3);
    // The storage's record of a mode has only the permission bits.
    const without = ["bin/alias"];
    await assertSame(await user.importUnshared(), { without, ignore: ["group"] });
  },
);

/** Runs `body` for a user whose storage has the image. */
function testAsUser(
  title: string,
  conf: string,
  body: (user: RootlessUser) => Promise<void>,
): void {
  test(title, async (t) => {
    if (process.getuid?.() !== 0) {
      t.skip("needs root, to become another user");
      return;
    }
    const user = new RootlessUser(fixture.directory, conf);
    try {
      const copy = ["skopeo", "copy", "--quiet", fixture.layout, "containers-storage:rich:1"];
      await user.run("podman", ["unshare", ...copy]);
      await body(user);
    } finally {
      // Ends the process that keeps the user's namespace alive.
      await user.run("podman", ["system", "migrate"]);
    }
  });
}

/** Compares with an import of the original image. */
async function assertSame(image: string, comparison: Comparison): Promise<void> {
  const root = new Denroot();
  try {
    const expected = await listImage(await root.import(fixture.layout));
    const without = [".enroot", "etc/rc", ...comparison.without ?? []];
    const differences = compareTrees(await listImage(image), expected, { ...comparison, without });
    assert.deepEqual(differences, []);
  } finally {
    root.remove();
  }
}

/** The user `nobody` with a home, and subordinate IDs that only its processes see. */
class RootlessUser {
  readonly home: string;
  /** The home's name below the fixture's directory. */
  readonly name = `user${users++}`;
  /** Put before a command, it runs the command as this user. */
  readonly #prefix: readonly [string, ...string[]];
  readonly #program: readonly [string, ...string[]];

  /** `storage` is the text of the table `storage` in storage.conf. */
  constructor(directory: string, storage: string) {
    this.home = join(directory, this.name);
    this.#prefix = asNobodyWithIds(directory, 200_000);
    const conf = join(this.home, ".config/containers");
    for (const path of [this.home, join(this.home, "run"), dirname(conf), conf]) {
      mkdirSync(path, { mode: 0o700 });
      chownSync(path, nobody, nobody);
    }
    writeFileSync(join(conf, "storage.conf"), `[storage]\n${storage}\n`);
    this.#program = readableDenroot(directory).command;
  }

  denroot(args: readonly string[]): [command: string, args: readonly string[]] {
    const [command, ...first] = this.#program;
    return [command, [...first, ...args]];
  }

  /** Imports inside `podman unshare`; gives the image's path. */
  async importUnshared(): Promise<string> {
    const output = join(this.home, "unshared.sqsh");
    const [command, args] = this.denroot(["import", "--output", output, uri]);
    await this.run("podman", ["unshare", command, ...args]);
    return output;
  }

  run(command: string, args: readonly string[]) {
    return runProgram(...this.#command(command, args));
  }

  start(command: string, args: readonly string[]) {
    return startProgram(...this.#command(command, args));
  }

  #command(command: string, args: readonly string[]): [string, readonly string[]] {
    const [first, ...rest] = this.#prefix;
    const environment = [
      ...[`PATH=${process.env.PATH}:/usr/sbin:/sbin`, "LANG=C.UTF-8"],
      ...[`HOME=${this.home}`, `XDG_RUNTIME_DIR=${this.home}/run`],
    ];
    return [first, [...rest, "env", "-i", ...environment, command, ...args]];
  }
}
