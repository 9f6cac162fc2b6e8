/** The mounts that every container has. */

import fs from "node:fs";
import path from "node:path";
import { mount, MS, remount, setPropagation } from "../../system/linux/mounts.ts";

const BOUND = ["/proc", "/sys", "/dev"];
const FILES = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
const MEMORY = ["/tmp", "/var/run", "/var/lock"];

export function mountDefaults(root: string): void {
  for (const target of BOUND) {
    fs.mkdirSync(root + target, { recursive: true });
    mount(target, root + target, "none", MS.BIND | MS.REC);
    setPropagation(root + target, MS.SLAVE | MS.REC);
  }
  for (const target of MEMORY) {
    const place = fs.lstatSync(root + target, { throwIfNoEntry: false });
    if (place?.isSymbolicLink()) continue;
    fs.mkdirSync(root + target, { recursive: true });
    mount("tmpfs", root + target, "tmpfs", MS.NOSUID | MS.NODEV, "mode=755");
  }
  for (const target of FILES) {
    if (!fs.existsSync(target)) continue;
    fs.mkdirSync(path.dirname(root + target), { recursive: true });
    if (!fs.existsSync(root + target)) fs.writeFileSync(root + target, "");
    mount(target, root + target, "none", MS.BIND);
    remount(root + target, MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC);
  }
}
