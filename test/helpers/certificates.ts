/** Keys and certificates for test servers, made with openssl. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "./run_program.ts";

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A self-signed certificate whose RSA key signs tokens. */
export async function makeSigningCertificate(directory: string): Promise<Certificate> {
  mkdirSync(directory, { recursive: true });
  const files = { certFile: join(directory, "token.crt"), keyFile: join(directory, "token.key") };
  await openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=token issuer")(
    "-days",
    "2",
    "-keyout",
    files.keyFile,
    "-out",
    files.certFile,
  );
  return files;
}

export interface ServerCertificate extends Certificate {
  /** The private authority that a client has to trust. */
  readonly caFile: string;
  /** With its key more can be signed. */
  readonly caKeyFile: string;
}

/** A certificate for 127.0.0.1 and localhost, signed by an authority of its own. */
export async function makeServerCertificate(directory: string): Promise<ServerCertificate> {
  mkdirSync(directory, { recursive: true });
  const at = (name: string) => join(directory, name);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl("req", "-x509", ...curve, "-subj", "/CN=Private test authority", "-days", "2")(
    "-keyout",
    at("ca.key"),
    "-out",
    at("ca.crt"),
  );
  await openssl("req", ...curve, "-subj", "/CN=localhost")(
    "-keyout",
    at("server.key"),
    "-out",
    at("server.csr"),
  );
  writeFileSync(at("extensions"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  await openssl("x509", "-req", "-in", at("server.csr"), "-days", "2", "-CAcreateserial")(
    "-CA",
    at("ca.crt"),
    "-CAkey",
    at("ca.key"),
    "-extfile",
    at("extensions"),
    "-out",
    at("server.crt"),
  );
  return {
    caFile: at("ca.crt"),
    caKeyFile: at("ca.key"),
    certFile: at("server.crt"),
    keyFile: at("server.key"),
  };
}

/** A certificate for 127.0.0.1, of the authority of a server's, for `from` to `to`: `YYYYMMDDhhmmssZ`. */
export async function makeDatedCertificate(
  directory: string,
  { caFile, caKeyFile, keyFile }: ServerCertificate,
  from: string,
  to: string,
): Promise<Certificate> {
  mkdirSync(directory, { recursive: true });
  const at = (name: string) => join(directory, name);
  writeFileSync(at("index.txt"), "");
  writeFileSync(
    at("ca.cnf"),
    "[ca]\ndefault_ca=here\n" +
      `[here]\ndatabase=${at("index.txt")}\nnew_certs_dir=${directory}\nrand_serial=yes\n` +
      "default_md=sha256\npolicy=any\nx509_extensions=names\n" +
      "[any]\ncommonName=supplied\n[names]\nsubjectAltName=IP:127.0.0.1\n",
  );
  await openssl("req", "-new", "-key", keyFile, "-subj", "/CN=dated", "-out", at("dated.csr"))();
  await openssl("ca", "-batch", "-notext", "-config", at("ca.cnf"), "-in", at("dated.csr"))(
    "-cert",
    caFile,
    "-keyfile",
    caKeyFile,
    "-startdate",
    from,
    "-enddate",
    to,
    "-out",
    at("dated.crt"),
  );
  return { certFile: at("dated.crt"), keyFile };
}

/** A client's certificate, signed by the authority of a server's. */
export async function makeClientCertificate(
  directory: string,
  { caFile, caKeyFile }: ServerCertificate,
): Promise<Certificate> {
  const at = (name: string) => join(directory, name);
  await openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")(
    "-subj",
    "/CN=client",
    "-keyout",
    at("client.key"),
    "-out",
    at("client.csr"),
  );
  // Without extensions it would be of version 1, which not all servers take.
  writeFileSync(at("extensions"), "extendedKeyUsage=clientAuth\n");
  await openssl("x509", "-req", "-in", at("client.csr"), "-days", "2", "-CAcreateserial")(
    "-CA",
    caFile,
    "-CAkey",
    caKeyFile,
    "-extfile",
    at("extensions"),
    "-out",
    at("client.crt"),
  );
  return { certFile: at("client.crt"), keyFile: at("client.key") };
}

/** The certificate's DER bytes in base64: what a token's `x5c` header holds. */
export function certificateBody(certFile: string): string {
  return readFileSync(certFile, "utf8").replace(/-----[A-Z ]+-----|\s/g, "");
}

function openssl(...first: string[]): (...rest: string[]) => Promise<unknown> {
  return (...rest) => runProgram("openssl", [...first, ...rest]);
}
