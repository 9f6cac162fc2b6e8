/** Which files of registries.conf are read, and how they are merged. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import {
  loadRegistriesConf,
  type RegistriesConf,
} from "../../lib/containers_conf/registries_conf.ts";
import { DenrootError } from "../../lib/errors.ts";

const search = (host: string) => `unqualified-search-registries = ["${host}"]\n`;
const alias = (name: string, host: string) => `[aliases]\n${name} = "${host}/x"\n`;

/** Loads with these files below a directory that has `etc`, `home` and `other` in it. */
async function load(
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<RegistriesConf> {
  const root = mkdtempSync(join(tmpdir(), "denroot-registries-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const absolute = Object.fromEntries(
      Object.entries(env).map(([name, path]) => [name, join(root, path)]),
    );
    const system = { directory: join(root, "etc"), isRoot: false };
    return await loadRegistriesConf({ HOME: join(root, "home"), ...absolute }, system);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test("without any file the configuration is empty", async () => {
  assert.deepEqual(await load({}), {
    rules: [],
    aliases: new Map(),
    searchRegistries: [],
    shortNameMode: "permissive",
    credentialHelpers: [],
  });
});

const ETC = "etc/registries.conf";
const USER = "home/.config/containers/registries.conf";

/** [title, files, environment, the search registry that counts] */
const PLACES: readonly (readonly [
  title: string,
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>>,
  expected: string,
])[] = [
  ["the system's file is read", { [ETC]: search("etc.io") }, {}, "etc.io"],
  [
    "the system's drop-ins win over its file",
    { [ETC]: search("etc.io"), [`${ETC}.d/a.conf`]: search("d.io") },
    {},
    "d.io",
  ],
  [
    "drop-ins are read in the order of their names",
    { [`${ETC}.d/b.conf`]: search("b.io"), [`${ETC}.d/a.conf`]: search("a.io") },
    {},
    "b.io",
  ],
  [
    "the user's drop-ins win over the system's",
    { [`${ETC}.d/z.conf`]: search("z.io"), [`${USER}.d/a.conf`]: search("a.io") },
    {},
    "a.io",
  ],
  [
    "the user's file replaces the system's and its drop-ins",
    { [ETC]: search("etc.io"), [`${ETC}.d/a.conf`]: search("d.io"), [USER]: search("user.io") },
    {},
    "user.io",
  ],
  [
    "XDG_CONFIG_HOME moves the user's file",
    { [USER]: search("user.io"), "other/containers/registries.conf": search("xdg.io") },
    { XDG_CONFIG_HOME: "other" },
    "xdg.io",
  ],
  [
    "CONTAINERS_REGISTRIES_CONF replaces the main file",
    { [USER]: search("user.io"), "other/r.conf": search("named.io") },
    { CONTAINERS_REGISTRIES_CONF: "other/r.conf" },
    "named.io",
  ],
  [
    "the drop-ins still win over the named one",
    { "other/r.conf": search("named.io"), [`${ETC}.d/a.conf`]: search("d.io") },
    { CONTAINERS_REGISTRIES_CONF: "other/r.conf" },
    "d.io",
  ],
  [
    "CONTAINERS_REGISTRIES_CONF_OVERRIDE wins over all",
    { "other/o.conf": search("override.io"), [`${USER}.d/z.conf`]: search("z.io") },
    { CONTAINERS_REGISTRIES_CONF_OVERRIDE: "other/o.conf" },
    "override.io",
  ],
  [
    "only files with names in .conf are read, and no directories",
    {
      [ETC]: search("etc.io"),
      [`${ETC}.d/a.conf.bak`]: search("bak.io"),
      [`${ETC}.d/sub.conf/a.conf`]: search("sub.io"),
    },
    {},
    "etc.io",
  ],
];

for (const [title, files, env, expected] of PLACES) {
  test(title, async () => {
    assert.deepEqual((await load(files, env)).searchRegistries, [expected]);
  });
}

test("rules and aliases are merged one by one, lists and modes as a whole", async () => {
  const conf = await load({
    [ETC]: search("etc.io") + 'short-name-mode = "disabled"\n' +
      '[[registry]]\nlocation = "a.io"\n[[registry]]\nlocation = "b.io"\n' +
      "[aliases]\none = 'a.io/one'\ntwo = 'a.io/two'\n",
    [`${ETC}.d/a.conf`]: '[[registry]]\nprefix = "b.io"\nlocation = "c.io"\n' +
      "[aliases]\none = ''\nthree = 'a.io/three'\n",
    "home/.cache/containers/short-name-aliases.conf": alias("two", "learned.io"),
  });
  assert.deepEqual(conf.rules.map(({ prefix, location }) => [prefix, location]), [
    ["a.io", "a.io"],
    ["b.io", "c.io"],
  ]);
  assert.deepEqual([...conf.aliases], [["two", "learned.io/x"], ["three", "a.io/three"]]);
  assert.deepEqual([conf.searchRegistries, conf.shortNameMode], [["etc.io"], "disabled"]);
});

test("an empty list of a drop-in empties the list", async () => {
  const files = {
    [ETC]: search("etc.io"),
    [`${ETC}.d/a.conf`]: "unqualified-search-registries=[]",
  };
  assert.deepEqual((await load(files)).searchRegistries, []);
});

const FAILING: readonly (readonly [
  title: string,
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>>,
  message: RegExp,
])[] = [
  [
    "a named file that does not exist",
    {},
    { CONTAINERS_REGISTRIES_CONF: "other/none" },
    /configuration of registries in .+\/other\/none cannot be read: .*ENOENT/,
  ],
  ["a broken drop-in", { [`${ETC}.d/a.conf`]: "x =" }, {}, /\.d\/a\.conf, line 1: .*not TOML/],
  ["a directory instead of the file", { [`${USER}/x`]: "" }, {}, /registries\.conf cannot be read/],
  ["a file of megabytes", { [ETC]: "#".repeat(2 ** 20 + 1) }, {}, /more than 1 MiB/],
];

for (const [title, files, env, message] of FAILING) {
  test(`${title} is an error`, async () => {
    await assert.rejects(load(files, env), (error: unknown) => {
      assert(error instanceof DenrootError && error.code === "settings");
      assert.match(error.message, message);
      return true;
    });
  });
}
