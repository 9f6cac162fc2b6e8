/** Debian's docker-registry on the loopback, with the doors that real registries have. */

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  type Certificate,
  makeClientCertificate,
  makeServerCertificate,
  makeSigningCertificate,
} from "./certificates.ts";
import { type Blob, blobPath, type Image } from "./image_fixture.ts";
import {
  findProgram,
  type RunningProgram,
  runProgram,
  startProgram,
  stopProgram,
  waitUntil,
} from "./run_program.ts";
import { startTokenServer, type TokenServer } from "./token_server.ts";

export interface RegistryOptions {
  readonly auth?: "none" | "htpasswd" | "token";
  /** For `htpasswd` and `token`; without them a token server lets anyone pull. */
  readonly user?: string;
  readonly password?: string;
  readonly tls?: boolean;
  /** With `tls`, clients have to show a certificate. */
  readonly mutualTls?: boolean;
  /** The registry from which this one fetches missing images. */
  readonly mirrorOf?: Registry;
  readonly tokenLifetimeSeconds?: number;
  /** Whether images cannot be deleted. */
  readonly keepsAll?: boolean;
}

export interface Registry {
  /** Host and port. */
  readonly host: string;
  readonly port: number;
  /** The directory that holds its blobs. */
  readonly storage: string;
  /** The authority that signed its certificate, with `tls`. */
  readonly caFile?: string;
  /** What a client has to show, with `mutualTls`. */
  readonly clientCertificate?: Certificate;
  readonly tokens?: TokenServer;
  /** Puts an image into the storage, byte for byte, however broken it is. */
  add(image: Image, repository: string, tag?: string): void;
  /** Adds one manifest or index whose blobs are there already. */
  addManifest(manifest: Blob, repository: string, tag?: string): void;
  /** Adds the first image of a layout directory; its blobs are linked, not copied. */
  addLayout(directory: string, repository: string, tag?: string): void;
  /** `docker://HOST#REPOSITORY:TAG`. */
  uri(repository: string, tag?: string): string;
  /** The log since the start: one line a request. It may lack the last requests for a moment. */
  log(): string;
  /** Waits until the log has this text, from a position on. Throws when it does not come. */
  hasLogged(text: string, from?: number): Promise<void>;
  /** Kills it with all its connections. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const home = mkdtempSync(join(tmpdir(), "denroot-registry-"));
  const storage = join(home, "storage");
  const certificate = options.tls === true ? await makeServerCertificate(home) : undefined;
  const clientCertificate = certificate && options.mutualTls
    ? await makeClientCertificate(home, certificate)
    : undefined;
  const tokens = options.auth === "token" ? await tokenServer(home, options) : undefined;
  const settings = {
    version: "0.1",
    log: { level: "info", accesslog: { disabled: false } },
    storage: {
      filesystem: { rootdirectory: storage },
      delete: { enabled: options.keepsAll !== true },
    },
    ...(options.mirrorOf && { proxy: { remoteurl: `http://${options.mirrorOf.host}` } }),
    auth: options.auth === "htpasswd"
      ? { htpasswd: { realm: "test realm", path: await htpasswdFile(home, options) } }
      : tokens === undefined
      ? undefined
      : {
        token: {
          realm: tokens.realm,
          service: tokens.service,
          issuer: tokens.issuer,
          rootcertbundle: join(home, "token.crt"),
        },
      },
  };
  mkdirSync(storage, { recursive: true });
  let running: RunningProgram;
  let port = 0;

  async function start(): Promise<void> {
    const file = join(home, "config.yml");
    const tls = certificate === undefined ? {} : {
      tls: {
        certificate: certificate.certFile,
        key: certificate.keyFile,
        ...(clientCertificate && { clientcas: [certificate.caFile] }),
      },
    };
    // JSON is YAML too.
    writeFileSync(
      file,
      JSON.stringify({ ...settings, http: { addr: `127.0.0.1:${port}`, ...tls } }),
    );
    const program = startProgram(findProgram("docker-registry") ?? "docker-registry", [
      "serve",
      file,
    ], { env: { ...process.env, OTEL_TRACES_EXPORTER: "none" }, timeoutMs: 3_600_000 });
    running = program;
    await waitUntil(`docker-registry listens: ${program.stderr()}`, () => {
      const match = program.stderr().match(/listening on 127\.0\.0\.1:(\d+)/);
      if (match !== null) port = Number(match[1]);
      else if (program.child.exitCode !== null) throw new Error(program.stderr());
      return match !== null;
    });
  }

  await start();
  return {
    host: `127.0.0.1:${port}`,
    port,
    storage,
    ...(certificate === undefined ? {} : { caFile: certificate.caFile }),
    ...(clientCertificate && { clientCertificate }),
    ...(tokens === undefined ? {} : { tokens }),
    add(image, repository, tag = "latest") {
      for (const blob of [...image.layers, image.config]) storeBlob(storage, blob, repository);
      storeManifest(storage, image.manifest, repository, tag);
    },
    addManifest: (manifest, repository, tag) => storeManifest(storage, manifest, repository, tag),
    addLayout: (directory, repository, tag) => storeLayout(storage, directory, repository, tag),
    uri: (repository, tag = "latest") => `docker://127.0.0.1:${port}#${repository}:${tag}`,
    log: () => running.stdout(),
    hasLogged: (text, from = 0) =>
      waitUntil(`the registry logs ${text}`, () => running.stdout().includes(text, from)),
    async kill() {
      running.child.kill("SIGKILL");
      await running.done;
    },
    restart: start,
    async stop() {
      await stopProgram(running);
      await tokens?.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function tokenServer(home: string, options: RegistryOptions): Promise<TokenServer> {
  const certificate = await makeSigningCertificate(home);
  return await startTokenServer({
    certificate,
    ...(options.user === undefined ? {} : { user: options.user, password: options.password! }),
    ...(options.tokenLifetimeSeconds === undefined
      ? {}
      : { lifetimeSeconds: options.tokenLifetimeSeconds }),
  });
}

async function htpasswdFile(home: string, options: RegistryOptions): Promise<string> {
  const path = join(home, "htpasswd");
  // The registry checks the password on every request: the lowest cost, 4, saves time.
  const args = ["-niBC", "4", options.user!];
  const line = await runProgram("htpasswd", args, { input: options.password! });
  writeFileSync(path, line.stdout);
  return path;
}

/** Where the registry's file system driver keeps a blob. */
export function storedBlobPath(storage: string, digest: string): string {
  const [algorithm, hex] = digest.split(":") as [string, string];
  return join(storage, "docker/registry/v2/blobs", algorithm, hex.slice(0, 2), hex, "data");
}

function storeBlob(storage: string, blob: Blob, repository: string): void {
  put(storedBlobPath(storage, blob.digest), blob.bytes);
  putLink(storage, repository, `_layers/${blob.digest.replace(":", "/")}`, blob.digest);
}

function storeManifest(storage: string, manifest: Blob, repository: string, tag?: string): void {
  const { digest } = manifest;
  put(storedBlobPath(storage, digest), manifest.bytes);
  putLink(storage, repository, `_manifests/revisions/${digest.replace(":", "/")}`, digest);
  if (tag === undefined) return;
  putLink(storage, repository, `_manifests/tags/${tag}/current`, digest);
  const index = `_manifests/tags/${tag}/index/${digest.replace(":", "/")}`;
  putLink(storage, repository, index, digest);
}

function storeLayout(
  storage: string,
  directory: string,
  repository: string,
  tag = "latest",
): void {
  const index = JSON.parse(readFileSync(join(directory, "index.json"), "utf8"));
  const { digest, mediaType, size } = index.manifests[0];
  for (const hex of readdirSync(join(directory, "blobs/sha256"))) {
    const path = storedBlobPath(storage, `sha256:${hex}`);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(join(directory, "blobs/sha256", hex), path);
    putLink(storage, repository, `_layers/sha256/${hex}`, `sha256:${hex}`);
  }
  const bytes = readFileSync(blobPath(directory, digest));
  rmSync(storedBlobPath(storage, digest));
  storeManifest(storage, { digest, mediaType, size, bytes }, repository, tag);
}

function putLink(storage: string, repository: string, path: string, digest: string): void {
  put(join(storage, "docker/registry/v2/repositories", repository, path, "link"), digest);
}

function put(path: string, bytes: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}
