/** The repositories of a registry: pages, tokens, and registries that do not show them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "../../../lib/errors.ts";
import { readCatalog } from "../../../lib/transport/registry/catalog.ts";
import type { RegistryLimits } from "../../../lib/transport/registry/limits.ts";
import type { Settings } from "../../../lib/config/settings.ts";
import type { Answer } from "../../helpers/fake_registry.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { basic, challenge, configIn, token } from "./auth/authentication_fixture.ts";
import { registriesConf, serve } from "./mirrors/mirrors_fixture.ts";
import { isError, makeSettings, NEVER, QUICK_LIMITS } from "./registry_fixture.ts";

const scratch = scratchDirectory("catalog");
const FIRST = "/v2/_catalog?n=1000";

function page(repositories: unknown, link?: string): Answer {
  const body = JSON.stringify({ repositories });
  return { body, ...(link !== undefined && { headers: { Link: link } }) };
}

async function catalogOf(
  registry: string,
  settings: Partial<Settings> = {},
  limits: Partial<RegistryLimits> = {},
  user?: string,
): Promise<readonly string[]> {
  const context = { settings: makeSettings(settings), signal: NEVER };
  return await readCatalog({ registry, ...(user && { user }) }, context, {
    ...QUICK_LIMITS,
    ...limits,
  });
}

test("all pages are read, and each repository is listed once", async () => {
  await using registry = await serve({
    [FIRST]: page(["a", "team/app"], '</v2/_catalog?last=team%2Fapp&n=2>; rel="next"'),
    "/v2/_catalog?last=team%2Fapp&n=2": page(["team/app", "z/y/x.1"]),
  });
  assert.deepEqual(await catalogOf(registry.host), ["a", "team/app", "z/y/x.1"]);
});

test("a registry that allows only smaller pages chooses their size", async () => {
  const errors = [{ code: "PAGINATION_NUMBER_INVALID", message: "invalid number" }];
  await using registry = await serve({
    [FIRST]: { status: 400, body: JSON.stringify({ errors }) },
    "/v2/_catalog": page(["a"], '</v2/_catalog?last=a>; rel="next"'),
    "/v2/_catalog?last=a": page(["b"]),
  });
  assert.deepEqual(await catalogOf(registry.host), ["a", "b"]);
});

test("an empty list may be null", async () => {
  for (const none of [[], null]) {
    await using registry = await serve({ [FIRST]: page(none) });
    assert.deepEqual(await catalogOf(registry.host), []);
  }
});

test("a token is asked for with the scope of the list, on each page the same", async () => {
  const scope = encodeURIComponent("registry:catalog:*");
  const guarded = (answer: Answer): Answer =>
    registry.requests.at(-1)!.headers["authorization"] === "Bearer t"
      ? answer
      : challenge('Bearer realm="{origin}/token",service="reg",scope="registry:catalog:*"');
  await using registry = await serve({
    get [FIRST](): Answer {
      return guarded(page(["a"], '</v2/_catalog?last=a>; rel="next"'));
    },
    get "/v2/_catalog?last=a"(): Answer {
      return guarded(page(["b"]));
    },
    [`/token?service=reg&scope=${scope}`]: token("t"),
  });
  assert.deepEqual(await catalogOf(registry.host), ["a", "b"]);
  assert.equal(registry.requests.filter(({ line }) => line.startsWith("GET /token")).length, 1);
});

test("the credentials of the user that the URI names are used", async () => {
  await using registry = await serve({
    get [FIRST](): Answer {
      const sent = registry.requests.at(-1)!.headers["authorization"];
      return sent === basic("me", "pw") ? page(["a"]) : challenge('Basic realm="r"');
    },
  });
  const lines = `machine ${registry.host} login you password other\n` +
    `machine ${registry.host} login me password pw\n`;
  assert.deepEqual(await catalogOf(registry.host, configIn(scratch, lines), {}, "me"), ["a"]);
});

/** [what the registry does, its answer, the code, the message, the hint] */
const REFUSALS: ReadonlyArray<
  readonly [string, Answer, "credentials" | "unsupported", RegExp, RegExp]
> = [
  [
    "asks for a login",
    { status: 401 },
    "credentials",
    /authentication is required/,
    /or to adm.*name one/,
  ],
  ["forbids it", { status: 403 }, "credentials", /access is denied/, /or to adm.*name one/],
  [
    "has no list",
    { status: 404 },
    "unsupported",
    /has no list of repositories: .*status 404/,
    /name one/,
  ],
  ["allows no such method", { status: 405 }, "unsupported", /has no list/, /name one/],
  [
    "says that it is unsupported",
    { status: 400, body: '{"errors":[{"code":"UNSUPPORTED","message":"no catalog"}]}' },
    "unsupported",
    /has no list of repositories: .*UNSUPPORTED no catalog/,
    /name one: denroot tags docker:\/\/\S+\/NAME$/,
  ],
];

for (const [what, answer, code, message, hint] of REFUSALS) {
  test(`a registry that ${what} gives an error that says so`, async () => {
    await using registry = await serve({ [FIRST]: answer, "/v2/_catalog": answer });
    await assert.rejects(catalogOf(registry.host), (error) => {
      assert.ok(hasCode(error, code), String(error));
      assert.match(error.message, message);
      assert.match(error.hint ?? "", hint);
      return true;
    });
  });
}

test("without good credentials the error is about these", async () => {
  await using registry = await serve({ [FIRST]: challenge('Basic realm="r"') });
  const wrong = configIn(scratch, `machine ${registry.host} login me password pw\n`);
  for (const [settings, hint] of [[{}, /podman login/], [wrong, /Check the user/]] as const) {
    await assert.rejects(catalogOf(registry.host, settings), (error) => {
      assert.ok(hasCode(error, "credentials"), String(error));
      assert.match(error.hint ?? "", hint);
      return true;
    });
  }
});

test("what is no list, and lists without an end, are refused", async () => {
  const again = page(["a"], `<${FIRST}>; rel="next"`);
  const cases = [
    [page(["a", "b\u001b[2J"]), "registry", /is not a valid repository/],
    [page(["../x"]), "registry", /is not a valid repository/],
    [page("a"), "manifest", /"repositories" must be an array/],
    [page(["a", "b", "c", "d"]), "limit", /more than 3 names, each of a repository/],
    [again, "registry", /again and again/],
    [{ body: "<html><title>Log in" }, "registry", /answered with a web page, "Log in"/],
  ] as const;
  for (const [answer, code, message] of cases) {
    await using registry = await serve({ [FIRST]: answer });
    await assert.rejects(catalogOf(registry.host, {}, { listedNames: 3 }), isError(code, message));
  }
});

test("registries.conf may block, move or mark the registry", async () => {
  await using registry = await serve({ [FIRST]: page(["a"]) });
  const { host } = registry;
  const rule = (lines: string) => ({
    environment: registriesConf(scratch, `[[registry]]\n${lines}\n`),
    allowHttp: false,
  });
  const named = (lines: string) => catalogOf("registry.example", rule(lines));
  const blocked = rule(`location = "${host}"\nblocked = true`);
  await assert.rejects(
    catalogOf(host, blocked),
    isError("settings", new RegExp(`^${host} is blocked`)),
  );
  const moved = `prefix = "registry.example"\nlocation = "${host}"`;
  await assert.rejects(named(`${moved}\nblocked = true`), isError("settings", /is blocked/));
  await assert.rejects(
    named('prefix = "registry.example"\nlocation = "me:secret@h"'),
    isError("settings", /the location "me:\*\*\*@h" names no registry$/),
  );
  assert.equal(registry.requests.length, 0);
  assert.deepEqual(await named(`${moved}\ninsecure = true`), ["a"]);
  assert.deepEqual(await catalogOf(host, rule(`location = "${host}"\ninsecure = true`)), ["a"]);
});
