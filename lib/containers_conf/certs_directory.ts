/** A registry's own certificates: `certs.d/HOST[:PORT]` (containers-certs.d(5)). */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DenrootError, messageOf } from "../errors.ts";
import { quotePath } from "../text/quote_text.ts";
import { splitCertificates } from "../text/pem.ts";

/** For one host only; PEM. */
export interface CertsDirectory {
  readonly authorities: readonly string[];
  readonly client?: { readonly cert: string; readonly key: string };
}

/**
 * Reads the host's directory: the first that is there of the user's, `/etc/containers/certs.d` and
 * `/etc/docker/certs.d`. Undefined where there is none. Of several pairs the first by name is used,
 * and `warn` is told: a connection can show one only.
 *
 * Throws code `settings` for half a pair, and files that cannot be read or used.
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
      const names = await namesIn(directory);
      if (names !== undefined) return await readFiles(directory, names, warn);
    }
  }
  return undefined;
}

/** As people write it; a port that the protocol implies may be written or not. */
function hostNames({ host, hostname, port }: URL): readonly string[] {
  const names = port === "" ? [host, `${hostname}:443`] : [host];
  return hostname === "registry-1.docker.io" ? ["docker.io", ...names] : names;
}

/** Undefined where there is no directory for us: one that we may not enter is for others. */
async function namesIn(directory: string): Promise<readonly string[] | undefined> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    const code = String((error as { code?: unknown }).code);
    if (/^(ENOENT|ENOTDIR|EACCES|EPERM)$/.test(code)) return undefined;
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
    throw unusable(join(directory, lonelyKey), "there is no .cert file of that name beside it");
  }
  const [pair, ...others] = pairs;
  if (pair === undefined) return { authorities };
  if (others.length > 0) {
    const all = `${quotePath(directory)} holds ${pairs.length} client certificates`;
    warn(`${all}: ${quotePath(`${pair}.cert`)} is the one that is shown`);
  }
  if (!names.includes(`${pair}.key`)) {
    throw unusable(
      join(directory, `${pair}.cert`),
      "there is no .key file of that name beside it (authorities are in .crt files)",
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
    // Without the cause: a parser's message may quote the key.
    throw unusable(keyPath, "it holds no private key, or one with a passphrase");
  }
  if (!isPair) throw unusable(keyPath, "it is not the key of the .cert file beside it");
  return { cert: certificates.join("\n"), key };
}

/** Deno ends without a word when a connection is made with a broken one. */
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
