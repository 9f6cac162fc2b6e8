/** Values at the edge of their rules, and what the settings say of where they come from. */

import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { isSet } from "../../lib/config/settings.ts";
import { entry, load } from "./settings_fixture.ts";

test("the largest and the smallest numbers that the rules allow are read", async () => {
  const settings = await load({
    SOURCE_DATE_EPOCH: "4294967295",
    ENROOT_MAX_CONNECTIONS: "1000",
    ENROOT_TRANSFER_TIMEOUT: "2000000",
    ENROOT_CONNECT_TIMEOUT: "0.0004",
  });
  assert.equal(settings.sourceDateEpoch, 2 ** 32 - 1);
  assert.equal(settings.maxConnections, 1000);
  assert.equal(settings.transferTimeoutMs, 2_000_000_000);
  assert.equal(settings.connectTimeoutMs, 1, "a short time is not rounded to no limit");
  assert.equal((await load({ SOURCE_DATE_EPOCH: "0" })).sourceDateEpoch, 0);
});

test("a path becomes absolute", async () => {
  assert.equal((await load({ ENROOT_CACHE_PATH: "my/cache" })).cachePath, resolve("my/cache"));
});

test("a setting is set when it has any value but its default, a flag also when it says no", async () => {
  const settings = await load({ ENROOT_FORCE_OVERRIDE: "yes", ENROOT_ALLOW_HTTP: "no" });
  assert.deepEqual([settings.forceOverride, settings.allowHttp], [true, false]);
  assert.equal(entry(settings, "ENROOT_ALLOW_HTTP").origin, "environment");
  assert.ok(isSet(settings, "ENROOT_ALLOW_HTTP"));
  assert.ok(!isSet(settings, "ENROOT_CACHE_PATH"));
  assert.ok(!isSet(await load({ ENROOT_TEMP_PATH: "no" }), "ENROOT_TEMP_PATH"));
  // enroot knows only its own variables, and unsets no others.
  assert.equal((await load({ DENROOT_MKSQUASHFS: "no" })).mksquashfs, "no");
});

test("each setting is listed once, also one that has its older name", async () => {
  const { entries } = await load({ ENROOT_SQUASH_OPTS: "-noD", ENROOT_CACHE_PATH: "/c" });
  const names = entries.map(({ name }) => name);
  assert.deepEqual(names.filter((name, at) => names.indexOf(name) !== at), []);
  assert.ok(!names.includes("ENROOT_SQUASH_OPTS"));
});

test("no note shows a password", async () => {
  const { entries } = await load({ ENROOT_ALLOW_HTTP: "me:secret@host" });
  assert.doesNotMatch(JSON.stringify(entries), /secret/);
});

test("a yes that looks like a no has a warning, other values have none", async () => {
  for (const value of ["0", "00", "off", "Off", "No ", "nO", "fAlse", "none", "disabled"]) {
    const settings = await load({ ENROOT_ALLOW_HTTP: value });
    assert.ok(settings.allowHttp, value);
    assert.equal(
      entry(settings, "ENROOT_ALLOW_HTTP").warning,
      `ENROOT_ALLOW_HTTP (environment): "${value}" means yes, as in enroot. ` +
        'To turn it off, write "no" or unset it',
    );
  }
  for (const value of ["no", "n", "F", "FALSE", "1", "yes", "y", "true", "please", "10"]) {
    assert.equal(
      entry(await load({ ENROOT_ALLOW_HTTP: value }), "ENROOT_ALLOW_HTTP").warning,
      undefined,
    );
  }
  // A number and a text may be 0.
  const { entries } = await load({ ENROOT_TRANSFER_RETRIES: "0", ENROOT_SQUASH_OPTIONS: "none" });
  assert.deepEqual(entries.filter(({ warning }) => warning !== undefined), []);
});
