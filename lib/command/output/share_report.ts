/** What `share` prints about a share: text, JSON, and figures for monitoring. */

import type { GarbageResult, ListedImage, ShareContents, StoredImage, Work } from "../../../mod.ts";
import { printableJson, printableLine } from "../../text/printable.ts";
import type { ShareCommandOptions } from "../share.ts";
import { shortDigest } from "./inspection_table.ts";
import { formatBytes } from "./units.ts";

/** A date and a time without seconds: `2025-06-10 14:30`. */
const MINUTE_COLUMNS = 16;

export async function runList({ json }: ShareCommandOptions): Promise<string> {
  const { path, images } = await contents();
  if (json) return printableJson({ path, images: images.map(imageJson) });
  const lines = images.map(({ digest, path, bytes, used, place }) =>
    [
      shortDigest(digest ?? "?"),
      formatBytes(bytes).padStart(8),
      place.padEnd(4),
      `used ${minuteOf(used)}`,
      printableLine(path),
    ].join("  ")
  );
  return lines.length === 0 ? `${printableLine(path)} has no images` : lines.join("\n");
}

export async function runStatus({ json, openmetrics }: ShareCommandOptions): Promise<string> {
  const found = await contents();
  if (openmetrics) return await metrics(found);
  const { path, images, work, trash, freeBytes } = found;
  if (json) {
    return printableJson({
      path,
      images: amount(images),
      trash,
      freeBytes,
      work: work.map(workJson),
    });
  }
  return [
    `Share   ${printableLine(path)}`,
    `Images  ${amountText(amount(images))}`,
    `Trash   ${amountText(trash)}`,
    `Free    ${formatBytes(freeBytes)}`,
    ...(work.length === 0 ? ["Nobody works in it"] : ["", ...work.map(workLine)]),
  ].join("\n");
}

export async function runGc(options: ShareCommandOptions): Promise<string> {
  const { pruneShare } = await import("../../../mod.ts");
  const { maxSize: maxBytes, maxAge: maxAgeMs, dryRun = false, json } = options;
  const result = await pruneShare({ maxBytes, maxAgeMs, dryRun });
  if (json) return printableJson(garbageJson(result, dryRun));
  const { removed, kept, inUse } = result;
  return [
    ...removed.map(({ name, bytes, used }) =>
      `  ${formatBytes(bytes).padStart(8)}  used ${minuteOf(used)}  ${name}`
    ),
    `${dryRun ? "Would remove" : "Removed"} ${amountText(amount(removed))}; kept ${
      amountText(amount(kept))
    }`,
    ...(inUse.length > 0 ? [`A job may use ${amountText(amount(inUse))} of those`] : []),
  ].join("\n");
}

async function contents(): Promise<ShareContents> {
  const { loadSettings, shareContents } = await import("../../../mod.ts");
  return shareContents(await loadSettings());
}

interface Amount {
  readonly count: number;
  readonly bytes: number;
}

function amount(images: ReadonlyArray<{ readonly bytes: number }>): Amount {
  return { count: images.length, bytes: images.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** `3 (1.2 GiB)`. */
function amountText({ count, bytes }: Amount): string {
  return count === 0 ? "none" : `${count} (${formatBytes(bytes)})`;
}

function workLine({ type, name, uri, node, pid, since, silentSeconds }: Work): string {
  const what = type === "import" ? `imports ${uri}` : `leads step ${name} with ${uri}`;
  const began = since === undefined ? "" : `, since ${minuteOf(since)}`;
  const silent = silentSeconds === undefined ? "" : `, last sign of life ${silentSeconds} s ago`;
  return printableLine(`Process ${pid ?? "?"} on node ${node ?? "?"} ${what}${began}${silent}`);
}

function minuteOf(date: Date): string {
  return date.toISOString().slice(0, MINUTE_COLUMNS).replace("T", " ");
}

function imageJson({ digest, path, bytes, used, place }: ListedImage) {
  return { digest: digest ?? null, path, bytes, used: used.toISOString(), place };
}

function workJson({ type, name, uri, node, pid, since, silentSeconds }: Work) {
  return { type, name, uri, node, pid, since: since?.toISOString(), silentSeconds };
}

function garbageJson({ removed, kept, inUse }: GarbageResult, dryRun: boolean) {
  const rows = (images: readonly StoredImage[]) =>
    images.map(({ name, bytes, used }) => ({ name, bytes, used: used.toISOString() }));
  return { dryRun, removed: rows(removed), kept: rows(kept), inUse: rows(inUse) };
}

/** Gauges alone: so the text is OpenMetrics, and what node_exporter's textfile collector reads. */
async function metrics({ images, work, trash, freeBytes }: ShareContents): Promise<string> {
  const { count, bytes } = amount(images);
  const running = work.filter(({ type }) => type === "import");
  const silent = running.map(({ silentSeconds }) => silentSeconds ?? 0);
  return [
    ...gauge("share_images", "Finished images.", count),
    ...gauge("share_images_bytes", "Size of the finished images.", bytes),
    ...gauge("share_trash_bytes", "Size of removed images that are still readable.", trash.bytes),
    ...gauge("share_free_bytes", "Free space on the file system.", freeBytes),
    ...gauge("share_imports", "Imports that are under way.", running.length),
    ...gauge("share_steps", "Job steps that wait for an image.", work.length - running.length),
    ...gauge("share_silent_seconds", "Longest silence of an import.", Math.max(0, ...silent)),
    ...await cacheMetrics(),
    "# EOF",
  ].join("\n");
}

async function cacheMetrics(): Promise<string[]> {
  const { cacheContents, loadSettings } = await import("../../../mod.ts");
  const { count, bytes } = amount(cacheContents((await loadSettings()).cachePath).blobs);
  return [
    ...gauge("cache_blobs", "Layers and configurations in this user's cache.", count),
    ...gauge("cache_bytes", "Size of this user's cache.", bytes),
  ];
}

function gauge(name: string, help: string, value: number): string[] {
  const full = `denroot_${name}`;
  return [`# TYPE ${full} gauge`, `# HELP ${full} ${help}`, `${full} ${value}`];
}
