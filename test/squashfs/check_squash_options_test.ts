/** Options for mksquashfs that spoil an image are refused; all others are mksquashfs's business. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkSquashOptions,
  squashOptionMistake,
} from "../../lib/squashfs/check_squash_options.ts";

const refused: readonly [options: string, mistake: RegExp][] = [
  ["-offset 4096", /^"-offset" cannot be used: it moves the image/],
  ["-comp lzo -o 4K", /^"-o" .*moves/],
  ["--offset 4096", /^"--offset" .*moves/],
  ["-nopad", /^"-nopad" .*padded/],
  ["-noI -e etc", /^"-e" .*leaves out files/],
  ["-ef list", /^"-ef" .*leaves out files/],
  ["-max-depth 3", /^"-max-depth" .*leaves out files/],
  ["-p 'x d 755 0 0'", /^"-p" .*adds files/],
  ["-pf file", /^"-pf" .*adds files/],
  ["-action prune@true", /^"-action" .*changes/],
  ["-vaf actions", /^"-vaf" .*changes/],
  ["-keep-as-directory", /^"-keep-as-directory" .*another directory/],
  ["-root-becomes old", /^"-root-becomes" .*another directory/],
  ["-cpiostyle", /^"-cpiostyle" .*from denroot alone/],
  ["-sort file", /^"-sort" .*from denroot alone/],
  ["-recover file", /^"-recover" .*from denroot alone/],
  ["-help", /^"-help" .*packs nothing/],
  ["-comp zstd -Xhelp", /^"-Xhelp" .*packs nothing/],
  ["-comp lzma", /^"-comp lzma" .*know are gzip, lzo, lz4, xz, zstd$/],
  ["-comp nope", /^"-comp nope" /],
  ["-comp lz4 -comp lzma", /^"-comp lzma" /],
  ["-noI -comp", /^"-comp" /],
  ["-comp -noI", /^"-comp -noI" /],
];
for (const [options, mistake] of refused) {
  test(`${options} is refused with a reason`, () => {
    assert.match(squashOptionMistake(options) ?? "", mistake);
    assert.throws(() => checkSquashOptions(options), {
      code: "settings",
      message: `ENROOT_SQUASH_OPTIONS: ${squashOptionMistake(options)}`,
      hint: /ENROOT_SQUASH_OPTIONS/,
    });
  });
}

const taken = [
  "",
  "-comp lzo -noD",
  "-comp gzip -Xcompression-level 1",
  "-comp lz4 -Xhc",
  "-comp xz -Xbcj x86,arm -Xdict-size 50% -b 1M",
  "-comp zstd -Xcompression-level 19 -b 256K -noI -noF -noX -no-compression",
  "-noappend -info -progress -exit-on-error -no-duplicates -tar",
  "-all-root -root-owned -force-uid 0 -root-mode 700 -no-xattrs -xattrs-exclude ^user",
  "-all-time 0 -mkfs-time 0 -mem 1G -processors 2 -throttle 10",
  "-no-fragments -always-use-fragments -tailends -no-exports -no-hardlinks -wildcards",
  "-an-option-of-mksquashfs-9 e",
];
for (const options of taken) {
  test(`${JSON.stringify(options)} is left to mksquashfs`, () => checkSquashOptions(options));
}
