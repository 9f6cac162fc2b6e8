/** Mirrors, certs.d and short names with real registries; some of them die. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadSettings } from "../../lib/config/settings.ts";
import { listTags, type ProgressEvent } from "../../mod.ts";
import {
  type Denroot,
  testEachRuntime,
  testOneRuntime,
  useDenroot,
} from "../helpers/denroot_command.ts";
import { type Image, writeImage } from "../helpers/image_fixture.ts";
import { type Registry, type RegistryOptions, startRegistry } from "../helpers/registry_server.ts";
import { waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { file } from "../helpers/tar_fixture.ts";
import { startWireProxy } from "../helpers/wire_proxy.ts";

const layout = scratchDirectory("layout");
const LAYER_BYTES = 3_000_000;
const EPOCH = { SOURCE_DATE_EPOCH: "1700000000" };
let image: Image;
let origin: Registry;
const registries: Registry[] = [];

async function registryWith(options: RegistryOptions, isEmpty = false): Promise<Registry> {
  const registry = await startRegistry(options);
  registries.push(registry);
  if (!isEmpty) registry.add(image, "team/app");
  return registry;
}

before(async () => {
  image = writeImage(layout, {
    layers: ["one", "two"].map((name) => [file(name, randomBytes(LAYER_BYTES))]),
  });
  origin = await registryWith({});
});

after(async () => {
  for (const registry of registries) await registry.stop();
});

/** Writes the user's registries.conf: `origin` with these mirrors. */
function configure(home: Denroot, text: string): void {
  const directory = join(home.home, ".config/containers");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "registries.conf"), text);
}

function mirroredBy(hosts: readonly string[], more = ""): string {
  const mirrors = hosts.map((host) => `[[registry.mirror]]\nlocation = "${host}"\n`);
  return `[[registry]]\nlocation = "${origin.host}"\n${more}\n${mirrors.join("")}`;
}

/** Imports, and compares the image with an import from the origin alone. */
async function importSame(home: Denroot): Promise<string> {
  const uri = origin.uri("team/app");
  const path = join(home.work, "mirrored.sqsh");
  const { stderr } = await home.succeed(["import", "--output", path, uri], { env: EPOCH });
  const direct = await home.import(uri, {
    env: {
      ...EPOCH,
      CONTAINERS_REGISTRIES_CONF: "/dev/null",
      ENROOT_CACHE_PATH: join(home.home, "cache-2"),
    },
  });
  assert(readFileSync(path).equals(readFileSync(direct)), "the images differ");
  return stderr;
}

testOneRuntime("a pull-through mirror gives the image, byte for byte", async (home) => {
  const mirror = await registryWith({ mirrorOf: origin }, true);
  configure(home, mirroredBy([mirror.host]));
  const stderr = await importSame(home);
  assert.match(
    stderr,
    new RegExp(
      `docker://${origin.host}#team/app:latest is ${image.manifest.digest} ` +
        `\\(from the mirror ${mirror.host}/team/app\\)`,
    ),
  );
  for (const { digest } of image.layers) {
    await mirror.hasLogged(`/v2/team/app/blobs/${digest}`);
  }
});

testOneRuntime("a mirror that is dead from the start only costs a warning", async (home) => {
  const mirror = await registryWith({});
  await mirror.kill();
  configure(home, mirroredBy([mirror.host]));
  const stderr = await importSame(home);
  const warning = `${mirror.host}/team/app failed: .*; going on with ${origin.host}/team/app`;
  assert.match(stderr, new RegExp(warning));
});

testEachRuntime("a mirror that is killed in mid-transfer is replaced by the next", async (home) => {
  const dying = await registryWith({});
  const second = await registryWith({});
  const wire = await startWireProxy(dying.port, { bytesPerSecond: 2_000_000 });
  try {
    configure(home, mirroredBy([wire.host, second.host]));
    const killed = waitUntil("a third is here", () => wire.bytes() > 2_000_000)
      .then(() => Promise.all([dying.kill(), wire.stop()]));
    const stderr = await importSame(home);
    await killed;
    assert(wire.bytes() < 2 * LAYER_BYTES, "the mirror has sent everything");
    await second.hasLogged("/v2/team/app/blobs/");
    assert.match(
      stderr,
      new RegExp(`${wire.host}/team/app failed: .*; going on with ${second.host}`),
    );
    assert.deepEqual(home.unfinishedBlobs(), []);
  } finally {
    await wire.stop();
  }
});

testOneRuntime("a mirror with other bytes under a layer's digest is left", async (home) => {
  const wrong = await registryWith({});
  const wire = await startWireProxy(wrong.port, { flipAt: 1_500_000 });
  try {
    configure(home, mirroredBy([wire.host]));
    const stderr = await importSame(home);
    assert.match(stderr, /fetching it again/);
  } finally {
    await wire.stop();
  }
});

testOneRuntime("when the mirror and the origin fail, both are named", async (home) => {
  const mirror = await registryWith({}, true);
  configure(home, mirroredBy([mirror.host]));
  const { exitCode, stderr } = await home.run(["digest", origin.uri("no/such")]);
  assert.equal(exitCode, 1);
  const each = (host: string) => `${host}/no/such: .*status 404.*`;
  assert.match(
    stderr,
    new RegExp(`All 2 registries failed: ${each(mirror.host)}; ${each(origin.host)}`),
  );
});

testEachRuntime("a registry that wants a client certificate gets that of certs.d", async (home) => {
  const registry = await registryWith({ tls: true, mutualTls: true });
  const env = { ENROOT_ALLOW_HTTP: undefined };
  const directory = join(home.home, ".config/containers/certs.d", registry.host);
  mkdirSync(directory, { recursive: true });
  cpSync(registry.caFile!, join(directory, "ca.crt"));
  const uri = registry.uri("team/app");
  const without = await home.run(["digest", uri], {
    env: { ...env, ENROOT_TRANSFER_RETRIES: "0" },
  });
  assert.equal(without.exitCode, 1);
  assert.match(without.stderr, /client certificate/);
  cpSync(registry.clientCertificate!.certFile, join(directory, "client.cert"));
  cpSync(registry.clientCertificate!.keyFile, join(directory, "client.key"));
  await home.import(uri, { env });
});

testOneRuntime("an insecure registry needs neither HTTPS nor trust", async (home) => {
  const env = { ENROOT_ALLOW_HTTP: undefined };
  const secure = await registryWith({ tls: true });
  for (const registry of [secure, origin]) {
    const uri = registry.uri("team/app");
    configure(home, "");
    assert.equal((await home.run(["digest", uri], { env })).exitCode, 1);
    configure(home, `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n`);
    const { stdout } = await home.succeed(["digest", uri], { env });
    assert.equal(stdout.trim(), image.manifest.digest);
  }
});

testOneRuntime("a short name is found by alias and by search", async (home) => {
  const empty = await registryWith({}, true);
  configure(
    home,
    `unqualified-search-registries = ["${empty.host}", "${origin.host}"]\n` +
      `[aliases]\nnick = "${origin.host}/team/app"\n`,
  );
  const env = { DENROOT_SHORT_NAMES: "yes" };
  for (const name of ["team/app", "nick"]) {
    const { stdout, stderr } = await home.succeed(["digest", `docker://${name}`], { env });
    assert.equal(stdout.trim(), image.manifest.digest);
    assert.match(
      stderr,
      new RegExp(`The short name ${name} stands for docker://${origin.host}#team/app:latest`),
    );
  }
  await home.succeed(["verify", "--platform", "linux/amd64", "docker://team/app"], { env });
});

testOneRuntime(
  "a blocked image and a broken file are refused with file and line",
  async (home) => {
    configure(
      home,
      `\n[[registry]]\nprefix = "${origin.host}/team"\nlocation = "${origin.host}/team"\nblocked = true\n`,
    );
    const blocked = await home.run(["digest", origin.uri("team/app")]);
    assert.equal(blocked.exitCode, 1);
    assert.match(blocked.stderr, /team\/app is blocked .* in \S+\/registries\.conf, line 2/);
    configure(home, "[[registry]]\nlocation = 5\n");
    const broken = await home.run(["digest", origin.uri("team/app")]);
    assert.equal(broken.exitCode, 1);
    assert.match(broken.stderr, /registries\.conf, line 2: location must be text in quotes/);
  },
);

test("a real registry's tags are listed, through its mirror too", async () => {
  const home = useDenroot();
  for (const tag of ["1.0", "2.0", "latest"]) origin.add(image, "tagged", tag);
  const settings = await loadSettings(home.environment());
  const { tags } = await listTags(`docker://${origin.host}/tagged:2.0`, { settings });
  assert.deepEqual(tags.toSorted(), ["1.0", "2.0", "latest"]);
  const mirror = await registryWith({ mirrorOf: origin }, true);
  configure(home, mirroredBy([mirror.host]));
  const told: string[] = [];
  const onProgress = (event: ProgressEvent) => event.type === "log" && told.push(event.message);
  const { tags: mirrored } = await listTags(origin.uri("tagged"), { settings, onProgress });
  assert.deepEqual(told, [
    `The tags of ${origin.host}#tagged come from the mirror ${mirror.host}/tagged`,
  ]);
  assert.deepEqual(mirrored.toSorted(), tags.toSorted());
  await mirror.hasLogged("GET /v2/tagged/tags/list");
  await assert.rejects(listTags(origin.uri("no/such"), { settings }), /status 404/);
});
