/** What a start refuses before it becomes the container. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadSettings } from "../../lib/config/settings.ts";
import { scriptSettings } from "../../lib/container/start/script_settings.ts";
import { startRequest } from "../../lib/container/start/start_request.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("start-request");

test("a file that is no image is refused before anything is mounted", async () => {
  const settings = await loadSettings({ ENROOT_DATA_PATH: scratch });
  const archive = join(scratch, "image.tar");
  writeFileSync(archive, "no squashfs image".padEnd(1024));
  assert.throws(() => startRequest(archive, { settings }), {
    code: "squashfs",
    message: `Invalid image format: ${archive}: it does not begin as a squashfs image`,
  });
});

test("a file of variables and a script that do not exist are named", async () => {
  const settings = await loadSettings({ ENROOT_DATA_PATH: scratch });
  const missing = join(scratch, "missing");
  assert.throws(() => startRequest("box", { settings, environmentFiles: [missing] }), {
    code: "not_found",
  });
  await assert.rejects(scriptSettings(missing), {
    code: "not_found",
    message: `The configuration script "${missing}" does not exist`,
  });
});
