/** Copies images between loopback registries and archives, beside curl and skopeo, and prints a table. */

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Image, writeImage } from "../../test/helpers/image_fixture.ts";
import { findProgram } from "../../test/helpers/run_program.ts";
import { type Registry, startRegistry } from "../../test/helpers/registry_server.ts";
import { measure, type Measurement, median, processors } from "./measure.ts";

const usage = `Usage: scripts/bench --copy [options]

  --size MIB     of the image, in five layers; 530 unless told
  --runs N       the median of N runs, 3 unless told
  --work DIR     where everything is kept meanwhile, three times the size; the temporary directory
                 unless told. On a disk, what the registries write to it decides: name a RAM disk
`;

const LAYERS = 5;
const SMALL_IMAGES = 100;
const MIB = 2 ** 20;
const denroot = join(fileURLToPath(new URL("../..", import.meta.url)), "dist/denroot");

interface Bench {
  readonly near: Registry;
  readonly far: Registry;
  readonly image: Image;
  readonly work: string;
  readonly runs: number;
}

interface Case {
  readonly title: string;
  /** Seconds, or times the limit. */
  readonly goal: string;
  readonly commands: Readonly<Record<string, readonly string[]>>;
  /** Makes the state that each run begins with. */
  readonly prepare: () => Promise<void> | void;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: process.argv.slice(2).filter((word) => word !== "--copy"),
    options: {
      size: { type: "string", default: "530" },
      runs: { type: "string", default: "3" },
      work: { type: "string", default: process.env.TMPDIR ?? tmpdir() },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void process.stdout.write(usage);
  const work = mkdtempSync(join(values.work, "denroot-bench-copy-"));
  process.env.TMPDIR = work;
  const [near, far] = await Promise.all([startRegistry(), startRegistry()]);
  try {
    const image = makeImages(Number(values.size) * MIB, work, near);
    const bench = { near, far, image, work, runs: Number(values.runs) };
    say(`Machine: ${processors()} processors; image: ${values.size} MiB in ${LAYERS} layers`);
    for (const one of casesOf(bench)) await run(one, bench);
  } finally {
    await Promise.all([near.stop(), far.stop()]);
    rmSync(work, { recursive: true, force: true });
  }
}

/** One large image, and many small ones that share a layer. */
function makeImages(size: number, work: string, near: Registry): Image {
  const layer = (bytes: number) => ({ tar: randomBytes(bytes), compression: "none" as const });
  const layout = join(work, "layout");
  const layers = Array.from({ length: LAYERS }, () => layer(Math.floor(size / LAYERS)));
  const image = writeImage(layout, { layers });
  near.addLayout(layout, "large", "latest");
  const base = layer(2000);
  for (let index = 0; index < SMALL_IMAGES; index++) {
    near.add(
      writeImage(join(work, "small"), { layers: [base, layer(2000)] }),
      "small",
      `v${index}`,
    );
  }
  return image;
}

function casesOf(bench: Bench): readonly Case[] {
  const { near, far, image, work } = bench;
  const archive = join(work, "image.tar");
  const skopeo = ["skopeo", "--insecure-policy"];
  const insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"];
  const large = `docker://${near.host}/large:latest`;
  const to = `docker://${far.host}/copy:latest`;
  const copy = {
    denroot: [denroot, "copy", large, to],
    skopeo: [...skopeo, "copy", "--quiet", ...insecure, large, to],
  };
  const empty = () => rmSync(join(far.storage, "docker"), { recursive: true, force: true });
  const copied = async () => {
    empty();
    await measure(copy.denroot, { env: environment(work) });
  };
  const fromArchive = [denroot, "sync", `oci-archive:${archive}`, `docker://${far.host}/back`];
  const small = [denroot, "sync", `docker://${near.host}/small:*`, `docker://${far.host}`];
  const smallBySkopeo = [...skopeo, "sync", "--src", "docker", "--dest", "docker", ...insecure];
  const sync = {
    denroot: small,
    skopeo: [...smallBySkopeo, `${near.host}/small`, `${far.host}`],
  };
  return [
    {
      title: "fresh copy",
      goal: "1.2 x",
      commands: { "curl, the limit": limit(bench), ...copy },
      prepare: empty,
    },
    {
      title: "4 of 5 layers there",
      goal: "0.5 s",
      commands: copy,
      prepare: async () => {
        await copied();
        forget(far, image);
      },
    },
    { title: "nothing to do", goal: "0.15 s", commands: copy, prepare: copied },
    {
      title: "to an archive",
      goal: "1.0 s",
      commands: {
        "denroot copy": [denroot, "copy", large, `oci-archive:${archive}:latest`],
        "denroot sync": [denroot, "sync", large, `oci-archive:${archive}`],
        skopeo: [
          ...skopeo,
          "copy",
          "--quiet",
          insecure[0]!,
          large,
          `oci-archive:${archive}:latest`,
        ],
      },
      prepare: () => {
        empty();
        rmSync(archive, { force: true });
      },
    },
    {
      title: "archive to registry",
      goal: "1.5 s",
      commands: {
        denroot: fromArchive,
        skopeo: [
          ...skopeo,
          "copy",
          "--quiet",
          insecure[1]!,
          `oci-archive:${archive}`,
          `docker://${far.host}/back:latest`,
        ],
      },
      prepare: async () => {
        empty();
        if (existsSync(archive)) return;
        await measure([denroot, "sync", large, `oci-archive:${archive}`], {
          env: environment(work),
        });
      },
    },
    {
      title: `${SMALL_IMAGES} small tags`,
      goal: "2.5 s",
      commands: sync,
      prepare: () => {
        empty();
        rmSync(archive, { force: true });
      },
    },
    {
      title: `${SMALL_IMAGES} small tags again`,
      goal: "0.5 s",
      commands: sync,
      prepare: async () => {
        empty();
        await measure(small, { env: environment(work) });
        await measure(sync.skopeo);
      },
    },
  ];
}

/** All layers at once, each from one curl to the next: what no client that checks digests can beat. */
function limit({ near, far, image }: Bench): readonly string[] {
  const script = `set -e
    for digest in ${image.layers.map(({ digest }) => digest).join(" ")}; do
      (location=$(curl --silent --dump-header - --request POST \\
          "http://${far.host}/v2/limit/blobs/uploads/" | tr -d '\\r' | sed -n 's/^Location: //p')
       curl --silent --fail "http://${near.host}/v2/large/blobs/$digest" |
         curl --silent --fail --upload-file - "$location&digest=$digest") &
    done
    for job in $(jobs -p); do wait "$job"; done`;
  return ["bash", "-c", script];
}

/** The registry loses one layer, and the tag with it. */
function forget({ storage }: Registry, { layers: [layer] }: Image): void {
  const at = (path: string) => join(storage, "docker/registry/v2", path);
  const [algorithm, hex] = layer!.digest.split(":") as [string, string];
  rmSync(at(`blobs/${algorithm}/${hex.slice(0, 2)}/${hex}`), { recursive: true });
  rmSync(at(`repositories/copy/_layers/${algorithm}/${hex}`), { recursive: true });
  rmSync(at("repositories/copy/_manifests"), { recursive: true });
}

async function run({ title, goal, commands, prepare }: Case, bench: Bench): Promise<void> {
  let limitS: number | undefined;
  for (const [name, command] of Object.entries(commands)) {
    if (findProgram(command[0]!) === undefined && !existsSync(command[0]!)) continue;
    const results: Measurement[] = [];
    for (let round = 0; round < bench.runs; round++) {
      await prepare();
      results.push(await measure(command, { env: environment(bench.work) }));
    }
    const { wallS, cpuS, peakMiB } = median(results);
    if (name.startsWith("curl")) limitS = wallS;
    const ratio = limitS === undefined ? "" : `${(wallS / limitS).toFixed(2)} x`;
    say(
      title.padEnd(24) + name.padEnd(18) + `${wallS.toFixed(2)} s`.padStart(9) +
        ratio.padStart(9) + `${cpuS.toFixed(2)} s cpu`.padStart(13) +
        `${peakMiB.toFixed(0)} MiB`.padStart(10) +
        (name.startsWith("denroot") ? `   goal ${goal}` : ""),
    );
  }
}

function environment(work: string): Readonly<Record<string, string>> {
  const home = join(work, "home");
  mkdirSync(home, { recursive: true });
  return {
    HOME: home,
    TMPDIR: home,
    ENROOT_CACHE_PATH: join(home, "cache"),
    ENROOT_ALLOW_HTTP: "y",
  };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
