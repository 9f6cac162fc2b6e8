/** Imports from a real registry with each kind of authentication. */

import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  Denroot,
  testEachRuntime,
  testOneRuntime,
  useDenroot,
} from "../helpers/denroot_command.ts";
import { type Image, writeImage, writeIndex } from "../helpers/image_fixture.ts";
import { assertSameTree } from "../helpers/layer_case.ts";
import { startRedirectingRegistry } from "../helpers/redirecting_registry.ts";
import { type Registry, type RegistryOptions, startRegistry } from "../helpers/registry_server.ts";
import { runProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { directory, file, link, symlink, whiteout } from "../helpers/tar_fixture.ts";
import { asEnrootImage, listImage, type Tree } from "../helpers/tree_listing.ts";
import { umociTree } from "../helpers/umoci_oracle.ts";
import { startWireProxy } from "../helpers/wire_proxy.ts";

const user = "someone";
const password = "p4ss-w0rd-that-nobody-may-see";
const layout = scratchDirectory("layout");
const denroot = useDenroot();
let image: Image;
let expected: Tree;
let open: Registry;
const registries: Registry[] = [];

async function registryWith(options: RegistryOptions): Promise<Registry> {
  const registry = await startRegistry(options);
  registries.push(registry);
  registry.add(image, "team/app", "v1");
  return registry;
}

before(async () => {
  image = writeImage(layout, {
    layers: [
      [
        directory("etc"),
        file("etc/passwd", "root"),
        file("gone", "x"),
        file("a", "1"),
        link("b", "a"),
      ],
      [whiteout("gone"), symlink("l", "a")],
      { tar: [file("random", Buffer.alloc(300_000, "random"))], compression: "none" },
    ],
    config: { Env: ["A=b"] },
  });
  expected = asEnrootImage(await umociTree(image));
  open = await registryWith({});
});

after(async () => {
  for (const registry of registries) await registry.stop();
});

function login(home: Denroot, host: string, secret = password): void {
  const path = join(home.home, "config/.credentials");
  writeFileSync(path, `machine ${host.split(":")[0]} login ${user} password ${secret}\n`);
  chmodSync(path, 0o600);
}

async function assertImports(home: Denroot, uri: string, env = {}): Promise<void> {
  assertSameTree(await listImage(await home.import(uri, { env })), expected);
}

testEachRuntime("an open registry's image arrives as umoci unpacks it", async (home) => {
  await assertImports(home, open.uri("team/app", "v1"));
  const result = await home.succeed(["digest", open.uri("team/app", "v1")]);
  assert.equal(result.stdout, `${image.manifest.digest}\n`);
});

test("an image may be asked for by its digest, and the digest wins over a tag", async () => {
  const { digest } = image.manifest;
  await assertImports(denroot, `docker://${open.host}#team/app@${digest}`);
  await assertImports(denroot, `docker://${open.host}/team/app:no-such-tag@${digest}`);
});

test("an image that skopeo pushed arrives as umoci unpacks it", async () => {
  await runProgram("skopeo", [
    "--insecure-policy",
    "copy",
    "--dest-tls-verify=false",
    `oci:${image.directory}:${image.tag}`,
    `docker://${open.host}/pushed/app:v2`,
  ]);
  await assertImports(denroot, open.uri("pushed/app", "v2"));
});

test("an image in Docker's own format arrives as the same tree", async () => {
  const docker = writeImage(scratchDirectory(), {
    format: "docker",
    layers: [[file("a", "1")], [file("b", "2")]],
  });
  open.add(docker, "docker/app");
  const tree = await listImage(await denroot.import(open.uri("docker/app")));
  assert.deepEqual([tree.get("a")?.size, tree.get("b")?.size], [1, 1]);
});

test("the platform is chosen from nested indexes, attestations never", async () => {
  const directory = scratchDirectory();
  const forPlatform = (architecture: string, variant?: string) =>
    writeImage(directory, {
      layers: [[file(`for-${architecture}${variant ?? ""}`, "1")]],
      platform: { os: "linux", architecture, ...(variant === undefined ? {} : { variant }) },
      listed: false,
    });
  const amd64 = forPlatform("amd64");
  const arm64 = forPlatform("arm64", "v8");
  const ppc64le = forPlatform("ppc64le");
  const inner = writeIndex(directory, [{ blob: arm64.manifest, platform: arm64.platform }], {
    listed: false,
  });
  const index = writeIndex(directory, [
    { blob: ppc64le.manifest, platform: { os: "unknown", architecture: "unknown" } },
    { blob: amd64.manifest, platform: amd64.platform },
    { blob: inner },
  ]);
  for (const one of [amd64, arm64, ppc64le]) {
    open.add(one, "many/platforms", `only-${one.platform.architecture}`);
  }
  open.addManifest(inner, "many/platforms");
  open.addManifest(index, "many/platforms", "v1");
  const uri = open.uri("many/platforms", "v1");
  for (const [arch, expected] of [["x86_64", "for-amd64"], ["arm64", "for-arm64v8"]] as const) {
    const tree = await listImage(await denroot.import(uri, { args: ["--arch", arch] }));
    assert.ok(tree.has(expected), arch);
  }
  const result = await denroot.run(["digest", "-a", "s390x", uri]);
  assert.equal(result.exitCode, 1);
  assert.match(result.stderr, /amd64/);
});

test("a password from the credentials file opens a registry with Basic authentication", async () => {
  const registry = await registryWith({ auth: "htpasswd", user, password });
  const refused = await denroot.run(["import", registry.uri("team/app", "v1")]);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /401|unauthorized|credential|authenticat/i);
  login(denroot, registry.host);
  await assertImports(denroot, registry.uri("team/app", "v1"));
});

testOneRuntime("a password opens a registry with a token server", async (home) => {
  const registry = await registryWith({ auth: "token", user, password });
  login(home, registry.host);
  await assertImports(home, registry.uri("team/app", "v1"));
  assert.ok(registry.tokens!.requests.every((one) => one.endsWith(` ${user}`)));
});

test("a token server gives a token to those who have no password", async () => {
  const registry = await registryWith({ auth: "token" });
  const home = new Denroot();
  await assertImports(home, registry.uri("team/app", "v1"));
  home.remove();
});

test("a wrong password is one clear error that does not tell it", async () => {
  for (const auth of ["htpasswd", "token"] as const) {
    const registry = await registryWith({ auth, user, password });
    login(denroot, registry.host, "wr0ng-secret");
    const result = await denroot.run(["import", registry.uri("team/app", "v1")]);
    assert.equal(result.exitCode, 1, auth);
    assert.match(result.stderr, /\[ERROR\].*(401|credential|unauthorized|refused|password)/i, auth);
    assert.ok(!`${result.stdout}${result.stderr}`.includes("wr0ng-secret"), auth);
    assert.deepEqual(denroot.leftovers().filter((path) => !path.includes("image-")), []);
  }
});

testEachRuntime("a private authority's certificate is trusted when it is named", async (home) => {
  const registry = await registryWith({ tls: true });
  const uri = registry.uri("team/app", "v1");
  const env = { ENROOT_ALLOW_HTTP: undefined };
  const refused = await home.run(["import", uri], { env });
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /certificate|authority|issuer/i);
  await assertImports(home, uri, { ...env, SSL_CERT_FILE: registry.caFile! });
});

test("plain HTTP is refused unless it is allowed", async () => {
  const result = await denroot.run(["import", open.uri("team/app", "v1")], {
    env: { ENROOT_ALLOW_HTTP: undefined },
  });
  assert.equal(result.exitCode, 1);
  assert.match(result.stderr, /ENROOT_ALLOW_HTTP|TLS|HTTPS/i);
});

for (const status of [302, 303, 307, 308]) {
  test(`blobs are followed to another origin by a ${status}, without the password`, async () => {
    const registry = await registryWith({ auth: "htpasswd", user, password });
    const door = await startRedirectingRegistry(registry, { status, manifests: status === 307 });
    const home = new Denroot();
    try {
      login(home, door.host);
      await assertImports(home, door.uri("team/app", "v1"));
      const blobs = door.storageRequests.filter((one) => one.startsWith("GET"));
      assert.ok(blobs.length >= image.layers.length);
      assert.ok(door.storageRequests.every((one) => one.endsWith(" -")), "credentials leaked");
    } finally {
      home.remove();
      await door.stop();
    }
  });
}

test("a second import asks for the manifest and for no blob", async () => {
  const home = new Denroot();
  await assertImports(home, open.uri("team/app", "v1"));
  const seen = open.log().length;
  await assertImports(home, open.uri("team/app", "v1"));
  await open.hasLogged("/manifests/", seen);
  const requests = open.log().slice(seen).match(/"(GET|HEAD) \S+/g) ?? [];
  assert.deepEqual(requests.filter((one) => one.includes("/blobs/")), []);
  home.remove();
});

test("no more connections are open at once than ENROOT_MAX_CONNECTIONS says", async () => {
  const many = writeImage(scratchDirectory(), {
    layers: Array.from({ length: 12 }, (_, index) => [
      file(`f${index}`, Buffer.alloc(200_000, `${index}`)),
    ]),
    compression: "none",
  });
  open.add(many, "many/layers");
  const proxy = await startWireProxy(open.port, { bytesPerSecond: 5e6 });
  const uri = `docker://${proxy.host}#many/layers`;
  const output = await denroot.import(uri, { env: { ENROOT_MAX_CONNECTIONS: "3" } });
  assert.equal((await listImage(output)).get("f11")?.size, 200_000);
  assert.ok(proxy.peakConnections() <= 3, `${proxy.peakConnections()} connections`);
  await proxy.stop();
});

test("an unknown image, tag or host is one clear error", async () => {
  const cases = [
    [open.uri("team/none"), /not found|404|unknown/i],
    [open.uri("team/app", "none"), /not found|404|unknown/i],
    ["docker://127.0.0.1:1#team/app", /connect|ECONNREFUSED|refused/i],
    ["docker://no-such-host.invalid/team/app", /no-such-host\.invalid/i],
  ] as const;
  for (const [uri, message] of cases) {
    const result = await denroot.run(["import", uri], { env: { ENROOT_TRANSFER_RETRIES: "1" } });
    assert.equal(result.exitCode, 1, uri);
    assert.match(result.stderr, message);
    assert.ok(!/\n +at /.test(result.stderr), "a stack reached the user");
  }
});
