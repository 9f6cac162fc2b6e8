/** The faults that an archive may have, and the error for each of them. */

import { Buffer } from "node:buffer";
import type { ErrorCode } from "../../../lib/errors.ts";
import { withMember, withoutMember } from "../../helpers/archive_fixture.ts";
import { file, link, node, symlink, tarMember, type TarSpec } from "../../helpers/tar_fixture.ts";

export type Scheme = "oci-archive" | "docker-archive";

/** The names of the files in an archive of one image. */
interface MemberNames {
  readonly config: string;
  readonly layer: string;
  readonly manifest: string;
}

interface Case {
  readonly what: string;
  readonly of: Scheme;
  readonly change: (members: readonly TarSpec[]) => readonly (TarSpec | Uint8Array)[];
  readonly code: ErrorCode;
  readonly message: RegExp;
}

const both = (what: string, change: Case["change"], code: ErrorCode, message: RegExp): Case[] =>
  (["oci-archive", "docker-archive"] as const).map((of) => ({ what, of, change, code, message }));
const docker = (what: string, change: Case["change"], code: ErrorCode, message: RegExp): Case => ({
  what,
  of: "docker-archive",
  change,
  code,
  message,
});
const oci = (what: string, change: Case["change"], code: ErrorCode, message: RegExp): Case => ({
  what,
  of: "oci-archive",
  change,
  code,
  message,
});

function spoil(name: string, changes: Partial<TarSpec>) {
  return (members: readonly TarSpec[]) =>
    withMember(members, name, (member) => ({ ...member, ...changes }));
}

export function hostileCases(names: MemberNames): readonly Case[] {
  const { config: configName, layer: layerName, manifest: manifestName } = names;
  return [
    ...both(
      "an archive without members",
      () => [],
      "not_found",
      /is empty$|has no file "oci-layout"/,
    ),
    ...both(
      "a layer that is missing",
      (members) => withoutMember(members, layerName),
      "not_found",
      /has no blob sha256:|is missing$/,
    ),
    ...both(
      "a configuration that is missing",
      (members) => withoutMember(members, configName),
      "not_found",
      /has no blob sha256:|is missing$/,
    ),
    ...both(
      "a layer that is an absolute symbolic link",
      (members) => withMember(members, layerName, () => symlink(layerName, "/etc/passwd")),
      "file",
      /leads out of the archive$/,
    ),
    ...both(
      "a layer that is a relative symbolic link out of the archive",
      (members) => withMember(members, layerName, () => symlink(layerName, "../../../etc/passwd")),
      "file",
      /leads out of the archive$/,
    ),
    ...both(
      "a layer that is a hard link out of the archive",
      (members) => withMember(members, layerName, () => link(layerName, "../etc/passwd")),
      "file",
      /leads out of the archive$/,
    ),
    ...both(
      "a layer that is a link to itself",
      (members) => withMember(members, layerName, () => symlink(layerName, layerName.slice(13))),
      "file",
      /is a chain of more than 10 links$/,
    ),
    ...both(
      "a layer that is a link to a missing file",
      (members) => withMember(members, layerName, () => symlink(layerName, "nothing")),
      "not_found",
      /has no blob sha256:|is missing$/,
    ),
    ...both(
      "a layer that is a device",
      (members) => withMember(members, layerName, () => node(layerName, "4", [8, 0])),
      "file",
      /is not a regular file$/,
    ),
    ...both(
      "a layer that occurs twice",
      (members) => withMember(members, layerName, (one) => [one, { ...one, content: "other" }]),
      "file",
      /occurs more than once$/,
    ),
    ...both(
      "a layer that occurs twice with different spellings of its name",
      (members) => [...members, file(`./${layerName}`, "other")],
      "file",
      /occurs more than once$/,
    ),
    ...both(
      "a name that leads out of the archive",
      (members) => [...members, file("blobs/../../etc/passwd", "x")],
      "file",
      /has a name that leads out of it: "blobs\/\.\.\/\.\.\/etc\/passwd"$/,
    ),
    ...both(
      "a name with a terminal's escape sequence",
      (members) => [...members, file("../\u001b[2Jx", "x")],
      "file",
      /has a name that leads out of it: "\.\.\/\\u\{1b\}\[2Jx"$/,
    ),
    ...both(
      "a name of 2000 bytes",
      (members) => [...members, file("x".repeat(2000), "x")],
      "limit",
      /a name of more than 1024 bytes$/,
    ),
    ...both(
      "50,001 entries",
      (members) => {
        const entry = tarMember(file("x"));
        return [...members, Buffer.alloc(50_001 * entry.length, entry)];
      },
      "limit",
      /has more than 50000 entries$/,
    ),
    ...both(
      "a member whose size reaches beyond the end",
      (members) => [...members, file("last", "x", { sizeField: 1e9 })],
      "file",
      /is damaged or not a tar archive: The tar stream is cut short$/,
    ),
    ...both(
      "a member with a negative size",
      (members) => [...members, file("last", "x", { sizeField: -512 })],
      "file",
      /is damaged or not a tar archive: A tar header has an impossible size$/,
    ),
    ...both(
      "a member whose size is less than its content",
      (members) => withMember(members, layerName, (one) => ({ ...one, sizeField: 512 })),
      "file",
      /is damaged or not a tar archive: /,
    ),
    ...both(
      "a header with a wrong checksum",
      spoil(layerName, { checksum: "bad" }),
      "file",
      /is damaged or not a tar archive: A tar header's checksum is wrong$/,
    ),
    oci(
      "a layer of another size",
      spoil(layerName, { content: "short" }),
      "file",
      /has 5 bytes instead of/,
    ),
    oci(
      "a forged manifest",
      spoil(manifestName, { content: "{}" }),
      "digest",
      /has the digest sha256:\w+ instead of sha256:/,
    ),
    oci(
      "a manifest that is missing",
      (members) => withoutMember(members, manifestName),
      "not_found",
      /has no blob sha256:/,
    ),
    oci(
      "no index.json",
      (members) => withoutMember(members, "index.json"),
      "not_found",
      /the file "index\.json" is missing$/,
    ),
    oci(
      "an index.json that is not JSON",
      spoil("index.json", { content: "[}" }),
      "manifest",
      /is not JSON/,
    ),
    oci(
      "an index.json that lists nothing",
      spoil("index.json", { content: '{"schemaVersion":2,"manifests":[]}' }),
      "not_found",
      /is empty$/,
    ),
    oci(
      "an index.json of 9 MB",
      spoil("index.json", { content: " ".repeat(9 * 1024 * 1024) }),
      "limit",
      /"index\.json" has 9437184 bytes, more than 8192 KiB$/,
    ),
    oci(
      "another version of the layout",
      spoil("oci-layout", { content: '{"imageLayoutVersion":"2.0.0"}' }),
      "unsupported",
      /has the version "2\.0\.0"; denroot reads only version 1$/,
    ),
    docker(
      "a forged configuration",
      spoil(configName, { content: '{"rootfs":{"diff_ids":[]}}' }),
      "digest",
      /configuration has the digest/,
    ),
    docker(
      "a configuration of 17 MB",
      spoil(configName, { content: Buffer.alloc(17 * 1024 * 1024, " ") }),
      "limit",
      /more than 16384 KiB$/,
    ),
    docker(
      "a manifest.json that is not JSON",
      spoil("manifest.json", { content: "[}" }),
      "manifest",
      /manifest\.json is not JSON$/,
    ),
    docker(
      "a manifest.json that is an object",
      spoil("manifest.json", { content: "{}" }),
      "manifest",
      /must be an array$/,
    ),
    docker(
      "a manifest.json that lists nothing",
      spoil("manifest.json", { content: "[]" }),
      "not_found",
      /contains no image$/,
    ),
    docker(
      "a manifest.json with numbers for names",
      spoil("manifest.json", { content: '[{"Config":1,"Layers":[2]}]' }),
      "manifest",
      /image 0 is invalid: "Layers" must be an array of strings$/,
    ),
    docker(
      "a manifest.json that names too few layers",
      spoil("manifest.json", { content: JSON.stringify([{ Config: configName, Layers: [] }]) }),
      "manifest",
      /configuration names 2 layers, but manifest\.json names 0$/,
    ),
    docker(
      "a manifest.json of 9 MB",
      spoil("manifest.json", { content: " ".repeat(9 * 1024 * 1024) }),
      "limit",
      /"manifest\.json" has 9437184 bytes, more than 8192 KiB$/,
    ),
    docker(
      "a manifest.json that names a file outside the archive",
      spoil("manifest.json", {
        content: JSON.stringify([{ Config: "../../etc/passwd", Layers: [] }]),
      }),
      "file",
      /leads out of the archive$/,
    ),
    docker(
      "no manifest.json",
      (members) =>
        withoutMember(members, "manifest.json").filter(({ path }) => path !== "oci-layout"),
      "unsupported",
      /saved by Docker before 1\.10$/,
    ),
  ];
}
