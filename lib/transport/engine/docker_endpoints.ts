/** Finds out where the Docker daemon is, as the program `docker` does. */

import type { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DenrootError, isMissing, messageOf } from "../../errors.ts";
import { Fields, parseJsonObject } from "../../oci/json_fields.ts";
import { quotePath, quoteText } from "../../text/quote_text.ts";
import { accountHome } from "../../system/host/environment.ts";
import { trustedAuthorities } from "../../http/trusted_certificates.ts";
import { type Endpoint, type EngineTls, parseEndpoint } from "./endpoint.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The context that stands for the environment variables and the standard sockets. */
const DEFAULT_CONTEXT = "default";

/**
 * Gives the endpoints where the daemon may be, in the order in which to try them: `DOCKER_HOST`; or
 * else the context that `DOCKER_CONTEXT` or the configuration names; or else the sockets of root's
 * daemon and of rootless ones. Throws code `settings` for a host, context or certificate that cannot
 * be used.
 */
export async function dockerEndpoints(env: Environment): Promise<readonly Endpoint[]> {
  const directory = env.DOCKER_CONFIG || join(homeOf(env), ".docker");
  if (env.DOCKER_HOST) {
    const tls = await environmentTls(env, directory);
    return [parseEndpoint(env.DOCKER_HOST, "DOCKER_HOST", tls)];
  }
  const context = env.DOCKER_CONTEXT || await currentContext(directory) || DEFAULT_CONTEXT;
  if (context !== DEFAULT_CONTEXT) return [await contextEndpoint(directory, context, env)];
  const sockets = ["/var/run/docker.sock"];
  if (env.XDG_RUNTIME_DIR) sockets.push(join(env.XDG_RUNTIME_DIR, "docker.sock"));
  sockets.push(join(homeOf(env), ".docker/run/docker.sock"));
  return sockets.map((path) => ({ type: "unix", path }));
}

function homeOf(env: Environment): string {
  return env.HOME || accountHome() || "/";
}

/** A variable counts as set when it is not empty, whatever its value is. */
async function environmentTls(
  env: Environment,
  directory: string,
): Promise<EngineTls | undefined> {
  if (!env.DOCKER_TLS_VERIFY && !env.DOCKER_TLS) return undefined;
  const files = await readTlsFiles(env.DOCKER_CERT_PATH || directory);
  return await toTls(files, Boolean(env.DOCKER_TLS_VERIFY), env);
}

async function currentContext(directory: string): Promise<string | undefined> {
  const path = join(directory, "config.json");
  const bytes = await readIfThere(path);
  if (bytes === undefined) return undefined;
  const what = `Docker's configuration ${quotePath(path)}`;
  return asSettings(() =>
    new Fields(parseJsonObject(bytes, what), what).optionalString("currentContext")
  );
}

/** A context is stored in a directory whose name is the SHA-256 of the context's name. */
async function contextEndpoint(
  directory: string,
  context: string,
  env: Environment,
): Promise<Endpoint> {
  const id = createHash("sha256").update(context).digest("hex");
  const bytes = await readIfThere(join(directory, "contexts/meta", id, "meta.json"));
  if (bytes === undefined) {
    throw new DenrootError("settings", `There is no Docker context ${quoteText(context)}`, {
      hint: "List the contexts with docker context ls; choose another with DOCKER_CONTEXT",
    });
  }
  const what = `The Docker context ${quoteText(context)}`;
  const { host, isUnverified } = asSettings(() => {
    const endpoints = new Fields(parseJsonObject(bytes, what), what).object("Endpoints");
    const docker = new Fields(endpoints, what).object("docker");
    const host = new Fields(docker, what).string("Host");
    return { host, isUnverified: docker["SkipTLSVerify"] === true };
  });
  const files = await readTlsFiles(join(directory, "contexts/tls", id, "docker"));
  const isSecure = isUnverified || Object.keys(files).length > 0;
  const tls = isSecure ? await toTls(files, !isUnverified, env) : undefined;
  return parseEndpoint(host, what, tls);
}

/** Without a `ca.pem` the authorities count that registries are measured by too. */
async function toTls(
  files: Omit<EngineTls, "verify">,
  verify: boolean,
  env: Environment,
): Promise<EngineTls> {
  if (!verify || files.ca !== undefined) return { ...files, verify };
  const ca = await trustedAuthorities({
    curlBundle: env.CURL_CA_BUNDLE,
    certFile: env.SSL_CERT_FILE,
    certDir: env.SSL_CERT_DIR,
  });
  return { ...files, ca: [...ca], verify };
}

async function readTlsFiles(directory: string): Promise<Omit<EngineTls, "verify">> {
  const [ca, cert, key] = await Promise.all(
    ["ca.pem", "cert.pem", "key.pem"].map((name) => readIfThere(join(directory, name))),
  );
  return {
    ...(ca && { ca: ca.toString("latin1") }),
    ...(cert && { cert: cert.toString("latin1") }),
    ...(key && { key: key.toString("latin1") }),
  };
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw new DenrootError(
      "settings",
      `${quotePath(path)} cannot be read: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** The code is `settings` because the documents are the user's settings and not an image's. */
function asSettings<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new DenrootError("settings", messageOf(cause), { cause });
  }
}
