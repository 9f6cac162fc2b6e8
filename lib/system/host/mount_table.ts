/** The mounts of this process (proc(5), mountinfo), and the types of file systems. */

export interface Mount {
  readonly path: string;
  /** The directory of the file system that is mounted there: `/` for all of it. */
  readonly root: string;
  /** `ext4`, `nfs4`, `fuse.sshfs`. */
  readonly type: string;
  readonly readOnly: boolean;
  readonly noExec: boolean;
  /** The mount's own options. */
  readonly options: readonly string[];
  /** The file system's own options. */
  readonly superOptions: readonly string[];
}

/** All mounts, those that are mounted later behind others. */
export function readMounts(mountInfo: string): readonly Mount[] {
  return mountInfo.split("\n").flatMap((line) => parseLine(line) ?? []);
}

/** The topmost mount that holds `path`, which is absolute and has no symbolic links. */
export function mountOf(path: string, mountInfo: string): Mount | undefined {
  let best: Mount | undefined;
  for (const mount of readMounts(mountInfo)) {
    if (!isBelow(path, mount.path)) continue;
    if (best === undefined || mount.path.length >= best.path.length) best = mount;
  }
  return best;
}

/** `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue` */
function parseLine(line: string): Mount | undefined {
  const [left = "", right = ""] = line.split(" - ");
  const [root, path, options] = left.split(" ").slice(3);
  const [type, , superOptions] = right.split(" ");
  if (root === undefined || path === undefined || options === undefined || type === undefined) {
    return undefined;
  }
  const own = (superOptions ?? "").split(",");
  const flags = options.split(",");
  return {
    path: unescapePath(path),
    root: unescapePath(root),
    type,
    readOnly: flags.includes("ro") || own.includes("ro"),
    noExec: flags.includes("noexec"),
    options: flags,
    superOptions: own,
  };
}

function unescapePath(path: string): string {
  return path.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)));
}

function isBelow(path: string, directory: string): boolean {
  return directory === "/" || path === directory || path.startsWith(`${directory}/`);
}

/** The keys are magic numbers of statfs(2). */
const NETWORK_TYPES: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x0bd00bd0, "Lustre"],
  [0x47504653, "GPFS"],
  [0x19830326, "BeeGFS"],
  [0x00c36400, "Ceph"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB"],
  [0x5346414f, "AFS"],
  [0xaad7aaea, "PanFS"],
  [0x013111a8, "IBRIX"],
  [0x786f4256, "VirtualBox"],
]);

/** `NFS`; undefined for a local file system. */
export function networkFileSystem(magic: number): string | undefined {
  return NETWORK_TYPES.get(magic);
}
