/** What the nodes of a step tell each other in one directory. */

import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DenrootError } from "../../lib/errors.ts";
import { Notices } from "../../lib/share/notices.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("notices");
const A = `sha256:${"a".repeat(64)}` as const;
const B = `sha256:${"b".repeat(64)}` as const;

test("the first digest counts for all nodes, also when the tag moved", () => {
  const [one, other] = newNotices("n1", "n2");
  assert.deepEqual(one.setResolved({ digest: A }), { digest: A });
  assert.deepEqual(other.setResolved({ digest: B }), { digest: A });
  assert.deepEqual(other.resolved(), { digest: A });
  assert.deepEqual(fs.readdirSync(one.directory), ["resolved"]);
});

test("an error reaches other nodes with its code and hint, without its stack", () => {
  const [one, other] = newNotices("n1", "n2");
  fs.writeFileSync(join(one.directory, "lease.1"), "");
  one.setError(1, new DenrootError("not_found", "No such tag", { hint: "Look at the tags" }));
  const notice = other.read();
  assert.equal(notice.verdict, "error");
  const error = other.error(notice) as DenrootError;
  assert.deepEqual([error.code, error.message, error.hint], [
    "not_found",
    "No such tag",
    "Look at the tags",
  ]);
  assert.ok(!fs.readFileSync(join(one.directory, "error.1"), "utf8").includes("notices_test"));
});

const verdicts: readonly [names: readonly string[], verdict: string, next: number][] = [
  [[], "none", 1],
  [["lease.1"], "none", 2],
  [["over.1", "error.1"], "error", 2],
  [["over.1", "error.1", "lease.2"], "none", 3],
  [["failed.1", "useless.2"], "useless", 3],
  [["useless.1", "lease.2"], "none", 3],
];
for (const [names, verdict, next] of verdicts) {
  test(`the verdict of ${names.join(" ") || "an empty directory"} is ${verdict}`, () => {
    const [notices] = newNotices("n1");
    for (const name of names) fs.writeFileSync(join(notices.directory, name), "");
    const found = notices.read();
    assert.deepEqual([found.verdict, found.next], [verdict, next]);
  });
}

test("a verdict is old half a minute after it was given", () => {
  const [notices] = newNotices("n1");
  const file = join(notices.directory, "error.1");
  fs.writeFileSync(file, "");
  assert.ok(!notices.isOldVerdict(notices.read()));
  const time = new Date(Date.now() - 40_000);
  fs.utimesSync(file, time, time);
  assert.ok(notices.isOldVerdict(notices.read()));
});

test("a directory that is absent says nothing", () => {
  assert.equal(new Notices(join(scratch, "absent"), "n1").read().state, "free");
});

function newNotices<Marks extends readonly string[]>(
  ...marks: Marks
): { readonly [Index in keyof Marks]: Notices } {
  const directory = fs.mkdtempSync(join(scratch, "step-"));
  return marks.map((mark) => new Notices(directory, mark)) as unknown as {
    readonly [Index in keyof Marks]: Notices;
  };
}
