/** The first line of a script, by which the kernel finds its interpreter. */

/** Whether it is `#!/usr/bin/env denroot`, `#!/opt/denroot-linux-x64 --debug`, or so with `enroot`. */
export function namesDenroot(line: string): boolean {
  return line.startsWith("#!") &&
    line.slice(2).split(/\s+/).some((word) => /^(?:.*\/)?(?:den|en)root(?:-\S+)?$/.test(word));
}
