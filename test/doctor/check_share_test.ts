/** A share's file system and rights, as an examination shows them. */

import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { checkShare } from "../../lib/doctor/check_share.ts";
import { nobody } from "../helpers/other_user.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { makeSettings } from "../transport/registry/registry_fixture.ts";
import { fakeMachine } from "./machine_fixture.ts";

const scratch = fs.realpathSync(scratchDirectory("check-share"));
const NEEDS_ROOT = process.getuid!() === 0 ? false : "needs root, to give a directory away";
const LUSTRE = 0x0bd00bd0;
const EXT4 = 0xef53;

function check(sharePath: string | undefined, type = LUSTRE, options = "rw", localPath?: string) {
  const space = { type, freeBytes: 5e12, freeFiles: 1e9, files: 1e9 };
  const machine = {
    ...fakeMachine({
      files: {
        "/proc/self/mountinfo": `1 1 0:1 / ${scratch.replaceAll(" ", "\\040")} rw - ${
          type === LUSTRE ? "lustre" : "ext4"
        } fs ${options}`,
      },
    }),
    space: () => space,
  };
  return checkShare(makeSettings({ sharePath, shareLocalPath: localPath }), machine);
}

function said(findings: ReturnType<typeof check>): string[] {
  return findings.map(({ status, subject }) => `${status} ${subject}`);
}

test("without a share there is nothing to say", () => {
  assert.deepEqual(check(undefined), []);
});

test("an own share on Lustre is tried out, and nothing stays behind", () => {
  const share = newShare();
  const findings = check(share);
  assert.deepEqual(said(findings), [
    "ok DENROOT_SHARE_PATH",
    "ok Own images",
    "ok Links",
    "ok O_EXCL",
    "ok Clock",
  ]);
  assert.match(findings[0]!.message, /5000\.0 GB free, Lustre$/);
  assert.deepEqual(fs.readdirSync(share), []);
});

test("a local disk, and locks that hold on one machine only, are worth a note", () => {
  assert.ok(said(check(newShare(), EXT4)).includes("note DENROOT_SHARE_PATH"));
  const findings = check(newShare(), LUSTRE, "rw,localflock");
  const flock = findings.find(({ subject }) => subject === "flock");
  assert.match(flock!.message, /mount option localflock/);
});

test("a directory that others may write to is a warning with the reason", () => {
  const share = newShare();
  fs.chmodSync(share, 0o777);
  const [finding, ...others] = check(share);
  assert.deepEqual(others, []);
  assert.equal(finding!.status, "warning");
  assert.match(finding!.message, /other users may write to/);
});

test("the site's images are named, and that this user has no place", { skip: NEEDS_ROOT }, () => {
  const share = newShare();
  fs.chmodSync(share, 0o755);
  fs.chownSync(share, nobody, nobody);
  assert.deepEqual(said(check(share)), [
    "ok DENROOT_SHARE_PATH",
    "ok Site's images",
    "note Own images",
  ]);
});

test("copies on the share's own file system are no use", () => {
  const share = newShare();
  const findings = check(share, LUSTRE, "rw", join(scratch, "copies"));
  assert.ok(said(findings).includes("warning DENROOT_SHARE_LOCAL_PATH"));
});

let count = 0;
function newShare(): string {
  const share = join(scratch, `share-${++count}`);
  fs.mkdirSync(share, { mode: 0o700 });
  return share;
}
