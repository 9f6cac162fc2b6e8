/** A registry's own certificates: `certs.d/HOST[:PORT]` (containers-certs.d(5)). */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DenrootError, isMissing, messageOf, systemCode } from "../errors.ts";
import { DOCKER_HUB_HOST, DOCKER_HUB_NAME } from "../reference/docker_hub.ts";
import { quotePath } from "../text/quote_text.ts";
import { splitCertificates } from "../text/pem.ts";

/** The certificates for one host, in PEM. */
interface CertsDirectory {
  readonly authorities: readonly string[];
  readonly client?: { readonly cert: string; readonly key: string };
}

/**
 * Reads the host's directory: the first that exists of the user's, `/etc/containers/certs.d` and
 * `/etc/docker/certs.d`. Undefined where there is none. A connection can show only one client
 * certificate: when there are several, the first by name is used, and `warn` gets a message.
 *
 * Throws code `settings` for half a pair, and for files that cannot be read or used.
 */
export async function readCertsDirectory(
  url: URL,
  env: Readonly<Record<string, string | undefined>>,
  warn: (message: string) => void,
): Promise<CertsDirectory | undefined> {
  const home = env["XDG_CONFIG_HOME"] || join(env["HOME"] || "/nonexistent", ".config");
  for (const base of [join(home, "containers"), "/etc/containers", "/etc/docker"]) {
    for (const host of hostNames(url)) {
      const directory = join(base, "certs.d", host);
      const names = await namesIfReadable(directory);
      if (names !== undefined) return await readFiles(directory, names, warn);
    }
  }
  return undefined;
}

/** The host's names as people write them: the port that the protocol implies may be left out. */
function hostNames({ host, hostname, port }: URL): readonly string[] {
  const names = port === "" ? [host, `${hostname}:443`] : [host];
  return hostname === DOCKER_HUB_HOST ? [DOCKER_HUB_NAME, ...names] : names;
}

/** Undefined without a directory, and for one that this user may not enter: it is for others. */
async function namesIfReadable(directory: string): Promise<readonly string[] | undefined> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    if (isMissing(error) || ["EACCES", "EPERM"].includes(systemCode(error))) return undefined;
    throw unusable(directory, messageOf(error), error);
  }
}

async function readFiles(
  directory: string,
  names: readonly string[],
  warn: (message: string) => void,
): Promise<CertsDirectory> {
  const authorities: string[] = [];
  for (const name of names.filter((name) => name.endsWith(".crt"))) {
    authorities.push(...await readCertificates(join(directory, name)));
  }
  const pairs = names.filter((name) => name.endsWith(".cert")).map((name) => name.slice(0, -5));
  const lonelyKey = names.find((name) =>
    name.endsWith(".key") && !pairs.includes(name.slice(0, -4))
  );
  if (lonelyKey !== undefined) {
    throw unusable(join(directory, lonelyKey), "the .cert file of the same name is missing");
  }
  const [pair, ...others] = pairs;
  if (pair === undefined) return { authorities };
  if (others.length > 0) {
    const all = `${quotePath(directory)} holds ${pairs.length} client certificates`;
    warn(`${all}: only ${quotePath(`${pair}.cert`)} is used`);
  }
  if (!names.includes(`${pair}.key`)) {
    throw unusable(
      join(directory, `${pair}.cert`),
      "the .key file of the same name is missing (authorities belong into .crt files)",
    );
  }
  return { authorities, client: await readPair(join(directory, pair)) };
}

async function readCertificates(path: string): Promise<readonly string[]> {
  const certificates = splitCertificates(await readText(path));
  if (certificates.length === 0) throw unusable(path, "it holds no certificate");
  for (const certificate of certificates) toCertificate(certificate, path);
  return certificates;
}

async function readPair(path: string): Promise<{ cert: string; key: string }> {
  const [certPath, keyPath] = [`${path}.cert`, `${path}.key`];
  const certificates = await readCertificates(certPath);
  const key = await readText(keyPath);
  let isPair: boolean;
  try {
    isPair = toCertificate(certificates[0]!, certPath).checkPrivateKey(createPrivateKey(key));
  } catch (error) {
    if (error instanceof DenrootError) throw error;
    // The parser's message may quote the key: it is not given as the cause.
    throw unusable(keyPath, "it holds no private key, or one with a passphrase");
  }
  if (!isPair) throw unusable(keyPath, "it is not the key of the .cert file of the same name");
  return { cert: certificates.join("\n"), key };
}

/** Deno exits without a message when a connection uses a damaged certificate. */
function toCertificate(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw unusable(path, "it holds a damaged certificate", cause);
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "latin1");
  } catch (cause) {
    throw unusable(path, messageOf(cause), cause);
  }
}

function unusable(path: string, why: string, cause?: unknown): DenrootError {
  return new DenrootError(
    "settings",
    `The registry's certificates in ${quotePath(path)} cannot be used: ${why}`,
    { cause, hint: "containers-certs.d(5) describes the directory" },
  );
}
