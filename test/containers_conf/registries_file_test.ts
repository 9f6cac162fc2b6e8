/** One registries.conf file: its content, and the errors for a broken one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseRegistriesFile } from "../../lib/containers_conf/registries_file.ts";
import { DenrootError } from "../../lib/errors.ts";

/** The manual's example. */
const EXAMPLE = `unqualified-search-registries = ["example.com", "registry.local:5000/"]
short-name-mode = "enforcing"
credential-helpers = ["containers-auth.json", "pass"]

[[registry]]
prefix = "example.com/foo"
insecure = false
blocked = false
location = "internal-registry-for-example.com/bar/"

[[registry.mirror]]
location = "example-mirror-0.local/mirror-for-foo"

[[registry.mirror]]
location = "example-mirror-1.local/mirrors/foo"
insecure = true
pull-from-mirror = "digest-only"

[[registry]]
location = "registry.com"
blocked = true
mirror-by-digest-only = true
unknown-key = 99999999999999999999

[[registry.mirror]]
location = "mirror.registry.com"

[[registry]]
prefix = "*.example.com"

[aliases]
"app" = "registry.com/team/app"
"team/tool" = "localhost/tool"
gone = ""
`;

test("reads everything that the format has", () => {
  const mirror = { insecure: false, pulls: "all" };
  const rule = { insecure: false, blocked: false, mirrors: [] };
  assert.deepEqual(parseRegistriesFile(EXAMPLE, "FILE"), {
    searchRegistries: ["example.com", "registry.local:5000"],
    shortNameMode: "enforcing",
    credentialHelpers: ["containers-auth.json", "pass"],
    rules: [
      {
        ...rule,
        prefix: "example.com/foo",
        location: "internal-registry-for-example.com/bar",
        mirrors: [
          { ...mirror, location: "example-mirror-0.local/mirror-for-foo" },
          { location: "example-mirror-1.local/mirrors/foo", insecure: true, pulls: "digest-only" },
        ],
        origin: "FILE, line 5",
      },
      {
        ...rule,
        prefix: "registry.com",
        location: "registry.com",
        blocked: true,
        mirrors: [{ ...mirror, location: "mirror.registry.com", pulls: "digest-only" }],
        origin: "FILE, line 19",
      },
      { ...rule, prefix: "*.example.com", location: "", origin: "FILE, line 28" },
    ],
    aliases: new Map([
      ["app", "registry.com/team/app"],
      ["team/tool", "localhost/tool"],
      ["gone", ""],
    ]),
  });
});

test("an empty file says nothing: other files decide", () => {
  for (const text of ["", "# nothing\n", "\n\n"]) {
    assert.deepEqual(parseRegistriesFile(text, "FILE"), {
      rules: [],
      aliases: new Map(),
      shortNameMode: undefined,
      credentialHelpers: undefined,
    });
  }
});

test("the first of two rules for one prefix counts", () => {
  const rule = (location: string) => `[[registry]]\nprefix = "a.io"\nlocation = "${location}"\n`;
  const { rules } = parseRegistriesFile(rule("b.io") + rule("c.io"), "FILE");
  assert.deepEqual(rules.map(({ location }) => location), ["b.io"]);
});

test("tables may be written inline; the line is then not known", () => {
  const text = 'registry = [{ location = "a.io", mirror = [{ location = "m.io" }] }]';
  const [rule] = parseRegistriesFile(text, "FILE").rules;
  assert.deepEqual([rule!.mirrors[0]!.location, rule!.origin], ["m.io", "FILE"]);
});

/** [what is wrong, the text, what the message begins with] */
const BROKEN: readonly (readonly [what: string, text: string, message: string])[] = [
  ["text that is not TOML", "a = 1\nb = = 2\n", "FILE, line 2: this is not TOML: "],
  ["a text without quotes", "x = 1\n[[registry]]\nlocation = a.io\n", "FILE, line 3: this is not"],
  ["a key twice", "x = 1\nx = 2\n", "FILE, line 2: this is not TOML: "],
  [
    "version 1",
    "# old\n[registries.search]\nregistries = ['a.io']\n[registries.block]\nregistries = []\n",
    "FILE, line 2: this is version 1 of the format",
  ],
  [
    "a location with a scheme",
    '[[registry]]\nprefix = "a.io"\nlocation = "https://b.io"\n',
    'FILE, line 3: location "https://b.io" must not begin with http:// or https://',
  ],
  [
    "a mirror with a scheme",
    '[[registry]]\nlocation = "a.io"\n[[registry.mirror]]\nlocation = "m.io"\n' +
    '[[registry]]\nlocation = "b.io"\n[[registry.mirror]]\n\nlocation = "http://m.io"\n',
    'FILE, line 9: location "http://m.io" must not begin with',
  ],
  [
    "a registry without prefix and location",
    "[[registry]]\ninsecure = true\n",
    "FILE, line 1: a registry needs a prefix or a",
  ],
  [
    "a prefix without location",
    '[[registry]]\nprefix = "a.io"\n',
    'FILE, line 2: the prefix "a.io" needs a loc',
  ],
  [
    "a wildcard with a path",
    '[[registry]]\nprefix = "*.a.io/b"\n',
    'FILE, line 2: prefix "*.a.io/b" must look like *.example.com',
  ],
  [
    "a mirror without location",
    '[[registry]]\nlocation = "a.io"\n[[registry.mirror]]\ninsecure = true\n',
    "FILE, line 3: a mirror needs a location",
  ],
  [
    "an unknown pull-from-mirror",
    '[[registry]]\nlocation = "a.io"\n[[registry.mirror]]\nlocation = "m.io"\n' +
    'pull-from-mirror = "sometimes"\n',
    'FILE, line 5: pull-from-mirror is "sometimes", but must be one of all, digest-only, tag-only',
  ],
  [
    "pull-from-mirror at the registry",
    '[[registry]]\nlocation = "a.io"\npull-from-mirror = "all"\n',
    "FILE, line 3: pull-from-mirror is for mirrors only",
  ],
  [
    "two ways to restrict a mirror",
    '[[registry]]\nlocation = "a.io"\nmirror-by-digest-only = true\n[[registry.mirror]]\n' +
    'location = "m.io"\npull-from-mirror = "all"\n',
    "FILE, line 6: pull-from-mirror cannot be set beside",
  ],
  [
    "a text for a flag",
    '[[registry]]\nlocation = "a.io"\ninsecure = "yes"\n',
    "FILE, line 3: insecure must be true or false",
  ],
  ["a number for a text", "[[registry]]\nlocation = 5\n", "FILE, line 2: location must be text"],
  [
    "a table for a list",
    '[registry]\nlocation = "a.io"\n',
    "FILE: registry must be tables with",
  ],
  [
    "two rules that contradict each other",
    '[[registry]]\nlocation = "a.io"\n[[registry]]\nprefix = "b.io"\nlocation = "a.io"\n' +
    "blocked = true\n",
    "FILE, line 6: blocked contradicts FILE, line 1",
  ],
  [
    "a search registry with a path",
    '\nunqualified-search-registries = ["a.io/team"]\n',
    'FILE, line 2: the unqualified-search registry "a.io/team" must be HOST or HOST:PORT',
  ],
  [
    "a list of numbers",
    "unqualified-search-registries = [1]\n",
    "FILE, line 1: unqualified-search-registries must be a list of texts",
  ],
  [
    "a helper with a path",
    'credential-helpers = ["../x"]\n',
    'FILE, line 1: the credential helper "../x" must be',
  ],
  ["an unknown mode", 'short-name-mode = "x"\n', 'FILE, line 1: short-name-mode is "x", but must'],
  [
    "an alias with a registry",
    '[aliases]\n"a.io/b" = "c.io/d"\n',
    'FILE, line 2: the alias "a.io/b" must be an image\'s name without registry',
  ],
  ["an alias with a tag", '[aliases]\n"b:1" = "c.io/d"\n', 'FILE, line 2: the alias "b:1" must be'],
  ["an alias to a tag", '[aliases]\nb = "c.io/d:1"\n', 'FILE, line 2: the alias b is "c.io/d:1"'],
  ["an alias to a short name", '[aliases]\nb = "c/d"\n', 'FILE, line 2: the alias b is "c/d", but'],
];

for (const [what, text, message] of BROKEN) {
  test(`refuses ${what}`, () => {
    assert.throws(() => parseRegistriesFile(text, "FILE"), (error: unknown) => {
      assert(error instanceof DenrootError);
      assert.equal(error.code, "settings");
      assert.equal(error.message.slice(0, message.length), message);
      assert.doesNotMatch(error.message, /\n/);
      assert.match(error.hint ?? "", /CONTAINERS_REGISTRIES_CONF/);
      return true;
    });
  });
}

test("any text is read or refused", () => {
  const line = fc.constantFrom(...EXAMPLE.split("\n"), "[registry.mirror]", "a = [", '"""', "= 1");
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fc.oneof(line, fc.string()), { maxLength: 20 }).map((lines) => lines.join("\n")),
    fc.integer({ min: 1, max: 5_000 }).map((depth) => `a = ${"[".repeat(depth)}`),
  );
  fc.assert(fc.property(text, (text) => {
    try {
      parseRegistriesFile(text, "FILE");
    } catch (error) {
      assert(error instanceof DenrootError, String(error));
      assert.equal(error.code, "settings");
    }
  }));
});
