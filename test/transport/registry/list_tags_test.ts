/** Tags: all pages, each tag once, and servers that never stop sending pages. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer } from "../../helpers/fake_registry.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { BEARER, challenge, token, TOKEN_REQUEST } from "./auth/authentication_fixture.ts";
import { asked, openMirrored, serve } from "./mirrors/mirrors_fixture.ts";
import { isError, NEVER, open, type OpenOptions } from "./registry_fixture.ts";

const scratch = scratchDirectory("tags");
const FIRST = "/v2/team/app/tags/list?n=1000";

function page(tags: unknown, link?: string | readonly string[]): Answer {
  const body = JSON.stringify({ name: "team/app", tags });
  return { body, ...(link !== undefined && { headers: { Link: link } }) };
}

async function tagsOf(host: string, options?: OpenOptions): Promise<readonly string[]> {
  await using source = await open(host, options);
  return await source.tags(NEVER);
}

/** [title, the server's answers by path, the tags] */
const LISTS: readonly (readonly [
  title: string,
  answers: Readonly<Record<string, Answer>>,
  tags: readonly string[],
])[] = [
  ["one page", { [FIRST]: page(["a", "b", "1.0_x-y"]) }, ["a", "b", "1.0_x-y"]],
  ["no tags", { [FIRST]: page([]) }, []],
  ["null for no tags", { [FIRST]: page(null) }, []],
  [
    "relative links",
    {
      [FIRST]: page(["b", "a"], '</v2/team/app/tags/list?last=a&n=2>; rel="next"'),
      "/v2/team/app/tags/list?last=a&n=2": page(["c"], '<?last=c>; rel="next"'),
      "/v2/team/app/tags/list?last=c": page(["d"]),
    },
    ["b", "a", "c", "d"],
  ],
  [
    "absolute links, and tags that come twice",
    {
      [FIRST]: page(["a", "a"], "<{origin}/v2/team/app/tags/list?last=a>; foo=bar; rel=next"),
      "/v2/team/app/tags/list?last=a": page(["a", "b"]),
    },
    ["a", "b"],
  ],
  [
    "links that are not to the next page",
    { [FIRST]: page(["a"], ['</x>; rel="prev"', '</y>; rel="nextish", </z>; title="next"']) },
    ["a"],
  ],
  [
    "several links in one header",
    {
      [FIRST]: page(["a"], '</x>; rel="first", </v2/team/app/tags/list?p=2>; rel="last next"'),
      "/v2/team/app/tags/list?p=2": page(["b"]),
    },
    ["a", "b"],
  ],
];

for (const [title, answers, tags] of LISTS) {
  test(`reads ${title}`, async () => {
    await using registry = await serve(answers);
    assert.deepEqual(await tagsOf(registry.host), tags);
  });
}

/** [what is wrong, the answers, the code, the message] */
const REFUSED = [
  ["a repository that does not exist", {}, "not_found", /^The tags of \S+#team\/app: not found/],
  ["text", { [FIRST]: { body: "hello" } }, "registry", /with something which is no JSON object/],
  ["nothing in JSON", { [FIRST]: { body: "null" } }, "registry", /which is no JSON object/],
  [
    "a refusal with status 200",
    { [FIRST]: { body: `{"errors":[{"code":"DENIED","message":"go away"}]}` } },
    "registry",
    /^The tags of \S+: \S+ answered with an error: DENIED go away$/,
  ],
  [
    "a page",
    { [FIRST]: { body: "<!DOCTYPE html><title>Log in</title>" } },
    "registry",
    /^The tags of \S+: \S+ answered with a web page, "Log in"$/,
  ],
  ["a text for the list", { [FIRST]: page("a") }, "manifest", /"tags" must be an array/],
  ["numbers", { [FIRST]: page([1]) }, "manifest", /"tags" must be an array of strings/],
  [
    "a tag that breaks the rules",
    { [FIRST]: page(["a", "b\u001b[2J"]) },
    "registry",
    /"b\\u\{1b\}\[2J" is not a valid tag/,
  ],
  [
    "pages that repeat",
    { [FIRST]: page(["a"], `<${FIRST}>; rel="next"`) },
    "registry",
    /sends the page .* again and again/,
  ],
  [
    "a page of megabytes",
    { [FIRST]: page(["a".repeat(2000)]) },
    "limit",
    /the registry sent a page of more than/,
  ],
  [
    "too many tags",
    { [FIRST]: page(["a", "b", "c", "d"]) },
    "limit",
    /more than 3 names, each of a tag/,
  ],
] as const;

for (const [what, answers, code, message] of REFUSED) {
  test(`refuses ${what}`, async () => {
    await using registry = await serve(answers);
    const limits = { pageBytes: 1024, listedNames: 3 };
    await assert.rejects(tagsOf(registry.host, { limits }), isError(code, message));
  });
}

test("a list that never ends is cut off", async () => {
  const answers: Record<string, Answer> = {};
  for (let i = 0; i < 10; i++) {
    const path = i === 0 ? FIRST : `/v2/team/app/tags/list?p=${i}`;
    answers[path] = page([`t${i}`], `</v2/team/app/tags/list?p=${i + 1}>; rel="next"`);
  }
  await using registry = await serve(answers);
  const limits = { pages: 5 };
  await assert.rejects(tagsOf(registry.host, { limits }), isError("limit", /more than 5 pages/));
  assert.equal(registry.requests.length, 5);
});

test("only the page that failed is asked for again", async () => {
  const second = "/v2/team/app/tags/list?p=2";
  let failures = 0;
  const answers = {
    [FIRST]: page(["a"], `<${second}>; rel="next"`),
    get [second](): Answer {
      return failures++ < 2 ? { status: 503 } : page(["b"]);
    },
  };
  await using registry = await serve(answers);
  assert.deepEqual(await tagsOf(registry.host), ["a", "b"]);
  assert.equal(registry.requests.length, 4);
});

test("the token goes to the registry's own pages only, and no user in a link is sent", async () => {
  await using foreign = await serve({
    "/tags": page(["b"], '</more>; rel="next"'),
    "/more": page(["c"]),
  });
  const authorized: Answer = page(["a"], `<http://u:p@${foreign.host}/tags>; rel="next"`);
  await using registry = await serve({
    get [FIRST](): Answer {
      const sent = registry.requests.at(-1)!.headers["authorization"];
      return sent === "Bearer t" ? authorized : challenge(BEARER);
    },
    [TOKEN_REQUEST.replace("GET ", "")]: token("t"),
  });
  assert.deepEqual(await tagsOf(registry.host), ["a", "b", "c"]);
  assert.equal(foreign.requests.length, 2);
  for (const { headers } of foreign.requests) assert.equal(headers["authorization"], undefined);
});

test("when a mirror fails between pages, the whole list comes from the next registry", async () => {
  await using mirror = await serve({ [FIRST]: page(["old"], '</gone>; rel="next"') });
  await using origin = await serve({ [FIRST]: page(["new"]) });
  const log: string[] = [];
  await using source = await openMirrored(scratch, origin.host, [mirror], { log });
  assert.deepEqual(await source.tags(NEVER), ["new"]);
  assert.match(log.join("\n"), /going on with/);
  await using good = await serve({ [FIRST]: page(["cached"]) });
  await using mirrored = await openMirrored(scratch, origin.host, [good]);
  assert.deepEqual(await mirrored.tags(NEVER), ["cached"]);
  assert.equal(asked(origin).length, 1);
});
