/** Keys and X.509 certificates (RFC 5280) for test servers and their clients; no program is needed. */

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

interface ServerCertificate extends Certificate {
  /** The private authority's certificate, which a client has to trust. */
  readonly caFile: string;
  readonly authority: Authority;
}

/** What signs certificates. */
interface Authority {
  readonly name: Buffer;
  readonly key: KeyObject;
}

/** A self-signed certificate whose RSA key signs tokens. */
export function makeSigningCertificate(directory: string): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const issuer = { name: commonName("token issuer"), key: privateKey };
  return writeFiles(directory, "token", {
    certificate: certificate(issuer, issuer.name, publicKey, ofAuthority()),
    key: privateKey,
  });
}

/** A certificate for 127.0.0.1 and localhost, signed by an authority of its own. */
export function makeServerCertificate(directory: string): ServerCertificate {
  const { publicKey, privateKey } = newKeys();
  const name = commonName(`test authority ${randomBytes(4).toString("hex")}`);
  const authority = { name, key: privateKey };
  const ca = writeFiles(directory, "ca", {
    certificate: certificate(authority, name, publicKey, ofAuthority()),
    key: privateKey,
  });
  const server = makeSigned(directory, "server", authority, ofThisHost());
  return { ...server, caFile: ca.certFile, authority };
}

/** A server's certificate by the same authority, valid from and to these times before the year 2050. */
export function makeDatedCertificate(
  directory: string,
  { authority }: ServerCertificate,
  validity: Validity,
): Certificate {
  return makeSigned(directory, "dated", authority, ofThisHost(), validity);
}

/** A client's certificate, signed by the authority of a server's. */
export function makeClientCertificate(
  directory: string,
  { authority }: ServerCertificate,
): Certificate {
  return makeSigned(directory, "client", authority, ofClient());
}

/** The certificate's DER bytes in base64: what a token's `x5c` header holds. */
export function certificateBody(certFile: string): string {
  return readFileSync(certFile, "utf8").replace(/-----[A-Z ]+-----|\s/g, "");
}

function makeSigned(
  directory: string,
  name: string,
  authority: Authority,
  extension: Buffer,
  validity?: Validity,
): Certificate {
  const { publicKey, privateKey } = newKeys();
  return writeFiles(directory, name, {
    certificate: certificate(authority, commonName(name), publicKey, extension, validity),
    key: privateKey,
  });
}

function newKeys() {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function writeFiles(
  directory: string,
  name: string,
  made: { readonly certificate: Buffer; readonly key: KeyObject },
): Certificate {
  mkdirSync(directory, { recursive: true });
  const files = {
    certFile: join(directory, `${name}.crt`),
    keyFile: join(directory, `${name}.key`),
  };
  const lines = made.certificate.toString("base64").match(/.{1,64}/g)!.join("\n");
  writeFileSync(
    files.certFile,
    `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
  );
  writeFileSync(files.keyFile, made.key.export({ type: "pkcs8", format: "pem" }));
  return files;
}

/** In milliseconds since 1970. */
export type Validity = readonly [fromMs: number, toMs: number];

const dayMs = 86_400_000;

/** A certificate's DER bytes: section 4.1 of RFC 5280. */
function certificate(
  issuer: Authority,
  subject: Buffer,
  publicKey: KeyObject,
  extension: Buffer,
  [fromMs, toMs]: Validity = [Date.now() - dayMs, Date.now() + dayMs],
): Buffer {
  const algorithm = issuer.key.asymmetricKeyType === "rsa"
    ? sequence(oid("2a864886f70d01010b"), der(0x05)) // sha256WithRSAEncryption
    : sequence(oid("2a8648ce3d040302")); // ecdsa-with-SHA256
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))), // version 3
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])), // the serial number
    algorithm,
    issuer.name,
    sequence(utcTime(fromMs), utcTime(toMs)),
    subject,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(extension)),
  );
  const signature = sign("sha256", toBeSigned, issuer.key);
  return sequence(toBeSigned, algorithm, der(0x03, Buffer.from([0]), signature));
}

/** basicConstraints: this one may sign others. */
function ofAuthority(): Buffer {
  const isAuthority = der(0x01, Buffer.from([0xff]));
  return sequence(oid("551d13"), isAuthority, der(0x04, sequence(isAuthority)));
}

/** subjectAltName: localhost and 127.0.0.1. */
function ofThisHost(): Buffer {
  const names = sequence(
    der(0x82, Buffer.from("localhost")),
    der(0x87, Buffer.from([127, 0, 0, 1])),
  );
  return sequence(oid("551d11"), der(0x04, names));
}

/** extendedKeyUsage: clientAuth. */
function ofClient(): Buffer {
  return sequence(oid("551d25"), der(0x04, sequence(oid("2b06010505070302"))));
}

function commonName(name: string): Buffer {
  return sequence(der(0x31, sequence(oid("550403"), der(0x0c, Buffer.from(name)))));
}

function utcTime(timeMs: number): Buffer {
  const digits = new Date(timeMs).toISOString().replace(/\D/g, "").slice(2, 14);
  return der(0x17, Buffer.from(`${digits}Z`));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(0x30, ...parts);
}

/** One value in DER (ITU-T X.690): tag, length, content. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const lengthBytes = length < 0x80
    ? [length]
    : length < 0x100
    ? [0x81, length]
    : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...lengthBytes]), content]);
}
