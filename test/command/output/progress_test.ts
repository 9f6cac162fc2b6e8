/** Progress on a terminal and in a log. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Progress } from "../../../lib/command/output/progress.ts";
import type { ProgressEvent } from "../../../lib/types/progress.ts";
import { Screen } from "./screen.ts";

const MIB = 2 ** 20;
const DIGEST = `sha256:${"ab".repeat(32)}`;

class Stage {
  written = "";
  writes = 0;
  nowMs = 1000;
  columns: number;
  rows = 24;
  readonly screen: Screen;
  readonly progress: Progress;

  constructor(options: { columns?: number; terminal?: boolean; colour?: boolean } = {}) {
    this.columns = options.columns ?? 80;
    this.screen = new Screen(this.columns);
    this.progress = new Progress({
      write: (text) => {
        this.written += text;
        this.writes++;
        this.screen.write(text);
      },
      terminal: options.terminal ?? true,
      colour: options.colour ?? false,
      size: () => ({ columns: this.columns, rows: this.rows }),
      nowMs: () => this.nowMs,
    });
  }

  resolve(...mebibytes: readonly number[]): void {
    const layers = mebibytes.map((size) => ({
      mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
      digest: DIGEST,
      size: size * MIB,
    }));
    this.progress.handle({ type: "resolved", digest: DIGEST, layers });
  }

  layer(index: number, received: number, size: number, cached = false): void {
    this.progress.handle({
      type: "layer",
      index,
      received: received * MIB,
      size: size * MIB,
      cached,
    });
  }

  blob(index: number, sent: number, size: number, fate?: "present" | "sent"): void {
    this.progress.handle({
      type: "blob",
      index,
      size: size * MIB,
      sent: sent * MIB,
      ...(fate && { fate }),
    });
  }

  tick(ms = 100): void {
    this.nowMs += ms;
    this.progress.tick();
  }
}

/** Events of a download of three layers: one is cached, and half of the rest has arrived. */
function halfWay(columns: number): Stage {
  const stage = new Stage({ columns });
  stage.resolve(100, 40, 7);
  stage.layer(2, 7, 7, true);
  stage.tick();
  for (let step = 1; step <= 20; step++) {
    stage.layer(0, step * 2.5, 100);
    stage.layer(1, step, 40);
    stage.tick();
  }
  return stage;
}

/** Events of a copy of three blobs: one is there, and half of the rest is sent. */
function halfCopied(options: { readonly terminal?: boolean } = {}): Stage {
  const stage = new Stage(options);
  const blobs = [100, 40, 7].map((size) => ({
    mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
    digest: DIGEST,
    size: size * MIB,
  }));
  stage.progress.handle({ type: "copying", blobs });
  stage.blob(2, 7, 7, "present");
  for (let step = 1; step <= 20; step++) {
    stage.blob(0, step * 2.5, 100);
    stage.blob(1, step, 40);
    stage.tick();
  }
  return stage;
}

test("a copy has bars for the blobs on their way, and none for those that are there", () => {
  const lines = halfCopied().screen.lines();
  assert.equal(lines.length, 3);
  assert.match(lines[0]!, /^blob 1\/3 \[=+>/);
  assert.match(lines[1]!, /^blob 2\/3 \[=+>/);
  assert.match(lines[2]!, /^total +\[=+> .* 50% +70 MiB \/ +140 MiB/);
});

test("the bars of a copy end with it, and a log has a line now and then", () => {
  const stage = halfCopied();
  stage.blob(0, 100, 100, "sent");
  stage.blob(1, 40, 40, "sent");
  stage.tick();
  assert.deepEqual(stage.screen.lines(), []);
  const quiet = halfCopied({ terminal: false });
  quiet.tick(30_000);
  assert.match(quiet.written, /^\[INFO\] Sent 70 MiB of 140 MiB, .*\/s\n$/);
});

test("80 columns show bars, amounts, rates and the time left", () => {
  const stage = halfWay(80);
  assert.deepEqual(stage.screen.lines(), [
    `[INFO] Resolved ${DIGEST}`.slice(0, 80),
    `${`[INFO] Resolved ${DIGEST}: 3 layers, 147 MiB`.slice(80)}`,
    "layer 1/3 [===========>           ]  50%   50 MiB /  100 MiB   25 MiB/s    0:02",
    "layer 2/3 [===========>           ]  50%   20 MiB /   40 MiB   10 MiB/s    0:02",
    "total     [===========>           ]  50%   70 MiB /  140 MiB   35 MiB/s    0:02",
  ]);
  stage.progress.finish();
});

test("200 columns show longer bars, up to a limit", () => {
  const stage = halfWay(200);
  const bar = `[${"=".repeat(30)}>${" ".repeat(29)}]`;
  assert.deepEqual(stage.screen.lines().slice(1), [
    `layer 1/3 ${bar}  50%   50 MiB /  100 MiB   25 MiB/s    0:02`,
    `layer 2/3 ${bar}  50%   20 MiB /   40 MiB   10 MiB/s    0:02`,
    `total     ${bar}  50%   70 MiB /  140 MiB   35 MiB/s    0:02`,
  ]);
  stage.progress.finish();
});

test("narrow terminals show fewer details, but whole lines", () => {
  for (const columns of [1, 5, 10, 20, 30, 40, 50, 60, 70]) {
    const stage = halfWay(columns);
    const drawn = stage.written.split("\x1b[J").at(-1)!.trimEnd().split("\n");
    assert.equal(drawn.length, 3);
    for (const line of drawn) assert(line.length < Math.max(2, columns), `${columns}: ${line}`);
    stage.progress.finish();
  }
});

test("a number stands for the layers that have no row", () => {
  const stage = new Stage();
  stage.rows = 7;
  stage.resolve(...Array.from({ length: 10 }, () => 10));
  for (let index = 0; index < 10; index++) stage.layer(index, 1, 10);
  stage.tick();
  const lines = stage.screen.lines().slice(2);
  assert.equal(lines.length, 5);
  assert.match(lines[2]!, /^layer {2}3\/10/);
  assert.equal(lines[3], "and 7 more");
  assert.match(lines[4]!, /^total/);
  stage.progress.finish();
});

test("messages stand above the bars, and the end removes the bars", () => {
  const stage = halfWay(80);
  stage.progress.handle({ type: "log", level: "warn", message: "The server stalls" });
  assert.equal(stage.screen.lines()[2], "[WARN] The server stalls");
  assert.match(stage.screen.lines()[3]!, /^layer 1\/3/);
  stage.progress.finish();
  assert.deepEqual(stage.screen.lines().slice(2), ["[WARN] The server stalls"]);
});

test("the bars disappear even if the terminal became narrower", () => {
  const stage = halfWay(200);
  stage.screen.resize(90);
  stage.columns = 90;
  stage.tick();
  assert.equal(stage.screen.lines().filter((line) => line.startsWith("layer")).length, 2);
  stage.progress.finish();
  assert.deepEqual(stage.screen.lines().join(""), `[INFO] Resolved ${DIGEST}: 3 layers, 147 MiB`);
});

test("ten drawings a second are the most, even for many events", () => {
  const stage = new Stage();
  stage.resolve(1000);
  const before = stage.writes;
  for (let step = 0; step < 10_000; step++) {
    stage.layer(0, step / 10_000 * 900, 1000);
    stage.tick(0.1);
  }
  // Each drawing writes twice: it erases, then it draws.
  assert(stage.writes - before <= 22, String(stage.writes - before));
  stage.progress.finish();
});

test("the packing shows when all layers have arrived", () => {
  const stage = new Stage();
  stage.resolve(10);
  stage.layer(0, 10, 10);
  stage.progress.handle({ type: "packed", bytes: 0 });
  stage.tick();
  stage.progress.handle({ type: "packed", bytes: 50 * MIB });
  stage.tick();
  assert.match(stage.screen.lines().at(-1)!, /^total {5}50 MiB packed, \d+ MiB\/s$/);
  stage.progress.finish();
});

function plain(...events: readonly ProgressEvent[]): string {
  const stage = new Stage({ terminal: false });
  for (const event of events) {
    stage.progress.handle(event);
    stage.tick();
  }
  stage.progress.finish();
  return stage.written;
}

test("off a terminal the progress is a few plain lines", () => {
  const layers = [1, 2, 3].map((size) => ({ mediaType: "x", digest: DIGEST, size: size * MIB }));
  const layer = (index: number, received: number, cached = false): ProgressEvent => ({
    type: "layer",
    index,
    size: (index + 1) * MIB,
    received: received * MIB,
    cached,
  });
  assert.equal(
    plain(
      { type: "log", level: "info", message: "Using credentials from /home/me/.credentials" },
      { type: "resolved", digest: DIGEST, layers },
      layer(0, 1, true),
      layer(1, 1),
      { type: "packed", bytes: 1 },
      layer(2, 3),
      layer(1, 2),
      { type: "packed", bytes: 2 },
      { type: "log", level: "warn", message: "odd \u001b[2J\nname" },
    ),
    "[INFO] Using credentials from /home/me/.credentials\n" +
      `[INFO] Resolved ${DIGEST}: 3 layers, 6.0 MiB\n` +
      "[INFO] Packing the image\n" +
      "[INFO] Fetched 2 layers (5.0 MiB) in 0.5 s, found 1 on this machine\n" +
      "[WARN] odd \\u{1b}[2J\\u{a}name\n",
  );
});

test("for layers from the cache there is one line", () => {
  const layers = [{ mediaType: "x", digest: DIGEST, size: MIB }];
  const written = plain(
    { type: "resolved", digest: DIGEST, layers },
    { type: "layer", index: 0, size: MIB, received: MIB, cached: true },
  );
  assert.match(written, /\[INFO\] Found the layer on this machine\n$/);
});

test("off a terminal a long transfer prints a line from time to time", () => {
  const stage = new Stage({ terminal: false });
  stage.resolve(100);
  for (let second = 1; second <= 65; second++) {
    stage.layer(0, second, 100);
    stage.tick(1000);
  }
  const beats = stage.written.split("\n").filter((line) => /Received/.test(line));
  assert.equal(beats.length, 2);
  assert.match(beats[1]!, /^\[INFO\] Received 60 MiB of 100 MiB, 1\.0 MiB\/s$/);
  stage.progress.finish();
});

test("colours show only on terminals", () => {
  const stage = new Stage({ colour: true });
  stage.progress.log("warn", "x");
  assert.equal(stage.written, "\x1b[33m[WARN]\x1b[39m x\n");
});
