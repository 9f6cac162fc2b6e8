/** The table of settings: every entry is complete and in agreement with itself. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { readSettings } from "../../lib/config/read_settings.ts";
import { OTHER_VARIABLES } from "../../lib/config/table/other_variables.ts";
import { ALL_SETTINGS, shownDefault } from "../../lib/config/table/setting_table.ts";

const host = { variable: () => undefined, processors: 4 };
const { values, entries } = readSettings(new Map(), new Map(), host);

test("every default obeys the rule of its setting", () => {
  for (const [name, { default: standard }] of ALL_SETTINGS) {
    assert.equal(values[name] === undefined, standard === undefined, name);
  }
});

test("there is one entry for each setting, in the table's order", () => {
  assert.deepEqual(entries.map(({ name }) => name), ALL_SETTINGS.map(([name]) => name));
});

test("no name stands for two things", () => {
  const names = [
    ...ALL_SETTINGS.flatMap(([name, { olderName, otherName }]) => [name, olderName, otherName]),
    ...Object.keys(OTHER_VARIABLES),
  ].filter((name) => name !== undefined);
  assert.deepEqual(names, [...new Set(names)]);
});

test("meanings are sentences", () => {
  const facts = [...ALL_SETTINGS, ...Object.entries(OTHER_VARIABLES)];
  for (const [name, { meaning }] of facts) assert.match(meaning, /^\S.* .*[^.]\.$/, name);
});

test("people see a default without looking at the machine", () => {
  const shown = Object.fromEntries(ALL_SETTINGS.map(([name, setting]) => [
    name,
    shownDefault(setting),
  ]));
  assert.equal(shown.ENROOT_CACHE_PATH, "$XDG_CACHE_HOME/enroot");
  assert.equal(shown.ENROOT_CONNECT_TIMEOUT, "30");
  assert.equal(shown.SOURCE_DATE_EPOCH, "files keep their times");
  assert.equal(shown.no_proxy, undefined);
});
