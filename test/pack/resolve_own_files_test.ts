/** denroot's own files go where the image's symlinks lead, if possible in one pass. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import test from "node:test";
import { Emission } from "../../lib/pack/emission.ts";
import { tarSink } from "../../lib/pack/tar_sink.ts";
import { OtherRootMode } from "../../lib/pack/restart.ts";
import { packPlanned } from "../../lib/pack/pack_planned.ts";
import { packStreamed } from "../../lib/pack/pack_streamed.ts";
import { NeedsPlan } from "../../lib/merge/needs_plan.ts";
import type { OwnFile } from "../../lib/enroot/own_files.ts";
import type { NativeCalls } from "../../lib/system/native_calls.ts";
import { TarParser } from "../../lib/tar/tar_parser.ts";
import {
  directory,
  file,
  link,
  symlink,
  tarArchive,
  type TarSpec,
} from "../helpers/tar_fixture.ts";
import { readTar } from "../tar/read_tar.ts";

const ownPaths = ["etc/rc", "etc/rc.local", "etc/fstab", "etc/environment", ".enroot/source"];

interface OwnFilesCase {
  readonly title: string;
  readonly layers: readonly (readonly TarSpec[])[];
  /** The image's paths: `own PATH` is one of denroot's files, `-> x` a symlink, else its content. */
  readonly image: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  /** The packing must start again with a plan. */
  readonly restarts?: true;
}

const plain: Readonly<Record<string, string>> = {
  "etc/rc": "own etc/rc",
  "etc/rc.local": "own etc/rc.local",
  "etc/fstab": "own etc/fstab",
  "etc/environment": "own etc/environment",
  ".enroot/": "",
  ".enroot/source": "own .enroot/source",
};
const throughUsr = Object.fromEntries(
  Object.entries(plain).map(([path, content]) => [path.replace(/^etc/, "usr/etc"), content]),
);

/** Files with the name of one of denroot's own, each in a directory of its own. */
function namesakes(count: number): TarSpec[] {
  return Array.from({ length: count }, (_, at) => file(`elsewhere/${at}/rc`, `${at}`));
}

function namesakesInImage(count: number): Record<string, string> {
  const numbers = Array.from({ length: count }, (_, at) => at);
  return Object.fromEntries([
    ["elsewhere/", ""],
    ...numbers.map((at) => [`elsewhere/${at}/`, ""]),
    ...numbers.map((at) => [`elsewhere/${at}/rc`, `${at}`]),
  ]);
}

const cases: readonly OwnFilesCase[] = [
  {
    title: "an empty image gets the files and their directories",
    layers: [[]],
    image: { ...plain, "etc/": "" },
  },
  {
    title: "the image's files at these paths are replaced",
    layers: [[
      directory("etc"),
      file("etc/fstab", "theirs"),
      file("etc/rc", "theirs"),
      file("etc/x", "x"),
    ]],
    image: { ...plain, "etc/": "", "etc/x": "x" },
  },
  {
    title: "files with these names in other directories stay",
    layers: [[file("root/fstab", "1"), file("rc", "2"), file("usr/share/source", "3")]],
    image: {
      ...plain,
      "etc/": "",
      "root/": "",
      "root/fstab": "1",
      rc: "2",
      "usr/": "",
      "usr/share/": "",
      "usr/share/source": "3",
    },
  },
  {
    title: "a symlink at etc stays, and the files go where it leads",
    layers: [[
      symlink("etc", "usr/etc"),
      directory("usr"),
      directory("usr/etc"),
      file("usr/etc/x", "x"),
    ]],
    image: { ...throughUsr, etc: "-> usr/etc", "usr/": "", "usr/etc/": "", "usr/etc/x": "x" },
  },
  {
    title: "an absolute symlink at etc leads to a directory inside the root that has to be made",
    layers: [[symlink("etc", "/usr/etc")]],
    image: { ...throughUsr, etc: "-> /usr/etc", "usr/": "", "usr/etc/": "" },
  },
  {
    title: "a symlink at etc that leads above the root stays inside it",
    layers: [[symlink("etc", "../../usr/etc")]],
    image: { ...throughUsr, etc: "-> ../../usr/etc", "usr/": "", "usr/etc/": "" },
  },
  {
    title: "a symlink at etc in a lower layer is followed from a higher one's directory below it",
    layers: [[symlink("etc", "usr/etc"), directory("usr/etc")], [file("usr/etc/rc", "theirs")]],
    image: { ...throughUsr, etc: "-> usr/etc", "usr/": "", "usr/etc/": "" },
  },
  {
    title: "rc.local as a link to rc.d/rc.local, as CentOS has it, is written through",
    layers: [[
      directory("etc"),
      directory("etc/rc.d"),
      file("etc/rc.d/rc.local", "theirs", { mode: 0o755 }),
      symlink("etc/rc.local", "rc.d/rc.local"),
    ]],
    image: {
      ...plain,
      "etc/": "",
      "etc/rc.d/": "",
      "etc/rc.d/rc.local": "own etc/rc.local",
      "etc/rc.local": "-> rc.d/rc.local",
    },
  },
  {
    title: "the same with the link in a higher layer than the file",
    layers: [[directory("etc/rc.d"), file("etc/rc.d/rc.local", "theirs")], [
      symlink("etc/rc.local", "rc.d/rc.local"),
    ]],
    image: {
      ...plain,
      "etc/": "",
      "etc/rc.d/": "",
      "etc/rc.d/rc.local": "own etc/rc.local",
      "etc/rc.local": "-> rc.d/rc.local",
    },
  },
  {
    title: "a link to a file of another name needs a plan",
    layers: [[file("etc/fstab.real", "theirs"), symlink("etc/fstab", "fstab.real")]],
    image: {
      ...plain,
      "etc/": "",
      "etc/fstab": "-> fstab.real",
      "etc/fstab.real": "own etc/fstab",
    },
    restarts: true,
  },
  {
    title: "a file that has to be replaced, and is too large to be held back, needs a plan",
    layers: [[file("etc/fstab", "x".repeat(70_000))]],
    image: { ...plain, "etc/": "" },
    restarts: true,
  },
  {
    title: "a file that has to be replaced is held back among a thousand of the same name",
    layers: [[...namesakes(999), file("etc/rc", "theirs")]],
    image: { ...plain, ...namesakesInImage(999), "etc/": "" },
  },
  {
    title: "a file that has to be replaced after a thousand of the same name needs a plan",
    layers: [[...namesakes(1000), file("etc/rc", "theirs")]],
    image: { ...plain, ...namesakesInImage(1000), "etc/": "" },
    restarts: true,
  },
  {
    title: "a dangling link is written through",
    layers: [[symlink("etc/fstab", "/run/made/fstab")]],
    image: {
      ...plain,
      "etc/": "",
      "etc/fstab": "-> /run/made/fstab",
      "run/": "",
      "run/made/": "",
      "run/made/fstab": "own etc/fstab",
    },
  },
  {
    title: "hard links to a file that is replaced keep its content",
    layers: [[file("etc/fstab", "theirs"), link("copy", "etc/fstab")]],
    image: { ...plain, "etc/": "", copy: "theirs" },
    restarts: true,
  },
  {
    title: "a hidden file lives on under the links that other layers made to it",
    layers: [[file("a", "x")], [link("b", "a"), link("c", "a")], [file("a", "new")]],
    image: { ...plain, "etc/": "", a: "new", b: "x", c: "x" },
    restarts: true,
  },
  {
    title: "an entry for the root directory makes no file",
    layers: [[directory("./"), file("a", "x")], [directory("./")]],
    image: { ...plain, "etc/": "", a: "x" },
  },
  {
    title: "a fifo is replaced by a file",
    layers: [[{ path: "etc/rc", flag: "6" }]],
    image: { ...plain, "etc/": "" },
    restarts: true,
  },
  {
    title: "the working directory and its parents are made where symlinks lead",
    layers: [[symlink("srv", "data"), directory("data")]],
    workingDir: "/srv/app/run",
    image: {
      ...plain,
      "etc/": "",
      srv: "-> data",
      "data/": "",
      "data/app/": "",
      "data/app/run/": "",
    },
  },
  {
    title: "a working directory that cannot be made is not an error",
    layers: [[file("srv", "a file"), symlink("loop", "loop")]],
    workingDir: "/srv/app",
    image: { ...plain, "etc/": "", srv: "a file", loop: "-> loop" },
  },
  {
    title: "a working directory in a loop of symlinks is not an error",
    layers: [[symlink("loop", "loop")]],
    workingDir: "/loop/app",
    image: { ...plain, "etc/": "", loop: "-> loop" },
  },
];

for (const one of cases) {
  test(`${one.title}${one.restarts ? "" : ", in one pass"}`, async () => {
    assert.deepEqual(await emitted(packPlanned, one), sorted(one.image), "by a plan");
    if (one.restarts) await assert.rejects(emitted(packStreamed, one), NeedsPlan);
    else assert.deepEqual(await emitted(packStreamed, one), sorted(one.image), "by streaming");
  });
}

test("another mode of the root directory starts the packing again, by a plan too", async () => {
  const layers = [[directory("./", { mode: 0o711 }), file("a", "x")]];
  for (const pack of [packStreamed, packPlanned]) {
    await assert.rejects(emitted(pack, { layers }), (error) => {
      assert.ok(error instanceof OtherRootMode);
      assert.equal(error.mode, 0o711);
      return true;
    });
  }
});

const impossible: readonly [title: string, message: RegExp, layer: readonly TarSpec[]][] = [
  ["etc is a link to itself", /'etc\/rc' leads through too many symlinks/, [symlink("etc", "etc")]],
  ["etc is a loop of links", /'etc\/rc' leads through too many symlinks/, [
    symlink("etc", "b"),
    symlink("b", "etc"),
  ]],
  ["fstab is a loop of links", /'etc\/fstab' leads through too many symlinks/, [
    symlink("etc/fstab", "fstab"),
  ]],
  ["etc is a file", /'\/etc' is not a directory/, [file("etc", "x")]],
  ["rc is a directory", /'\/etc\/rc' is a directory/, [directory("etc/rc")]],
  ["rc and fstab are one file", /lead to the same file/, [symlink("etc/fstab", "rc")]],
];
for (const [title, message, layer] of impossible) {
  test(`an image whose ${title} is refused with its path`, async () => {
    for (const pack of [packStreamed, packPlanned]) {
      await assert.rejects(emitted(pack, { layers: [layer] }), { message });
    }
  });
}

async function emitted(
  pack: typeof packStreamed,
  { layers, workingDir = "/" }: Pick<OwnFilesCase, "layers" | "workingDir">,
): Promise<Record<string, string>> {
  const archives = layers.map((layer) => tarArchive(layer));
  const output: Buffer[] = [];
  const emission = new Emission(tarSink(collector(output), -1, 0o755), {
    allTime: undefined,
    defaultTime: 0,
    maxBytes: Infinity,
    onBytes() {},
  });
  const input: Parameters<typeof packStreamed>[0] = {
    mode: "stream",
    output: { type: "tar", descriptor: -1, rootMode: 0o755 },
    layerNames: layers.map((_, layer) => `Layer ${layer}`),
    ownFiles: ownPaths.map(ownFile),
    workingDir,
    allTime: undefined,
    defaultTime: 0,
    maxBytes: Infinity,
    keepLedger: false,
    watchWidths: false,
  };
  await pack(input, async (layer, visitor) => {
    const parser = new TarParser(visitor);
    // Readers use their memory again for the next bytes.
    const chunk = Buffer.alloc(100);
    const archive = archives[layer]!;
    for (let at = 0; at < archive.length; at += chunk.length) {
      const count = archive.copy(chunk, 0, at, at + chunk.length);
      parser.push(chunk.subarray(0, count));
    }
    parser.finish();
    await Promise.resolve();
  }, emission);
  emission.end();
  return listing(Buffer.concat(output));
}

/** Lists an archive. Fails on a path that comes twice. */
function listing(archive: Buffer): Record<string, string> {
  const paths: Record<string, string> = {};
  for (const { type, path, linkPath, content } of readTar(archive)) {
    assert.ok(!(path in paths), `${path} comes twice`);
    if (type === "symlink") paths[path] = `-> ${linkPath}`;
    else if (type === "hardlink") paths[path] = paths[linkPath]!;
    else paths[path] = content.toString();
  }
  return sorted(paths);
}

function sorted(paths: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(paths).sort(([a], [b]) => a < b ? -1 : 1));
}

function ownFile(path: string): OwnFile {
  return { path, mode: 0o644, content: Buffer.from(`own ${path}`) };
}

function collector(output: Buffer[]): NativeCalls {
  const none = () => assert.fail("nothing else is called");
  return {
    socketPair: none,
    pipe: none,
    close: none,
    write(_descriptor, bytes) {
      output.push(Buffer.from(bytes));
      return bytes.length;
    },
  };
}
