/** Real shells complete with the scripts that denroot prints. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runProgram } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { openTerminal, type Terminal } from "../../helpers/terminal.ts";
import { runInProcess } from "../command_context.ts";

const scratch = scratchDirectory("completions");
mkdirSync(join(scratch, "layouts/alpine"), { recursive: true });
writeFileSync(join(scratch, "torch image.sqsh"), "");

/** The text before TAB, and the words that the command gets after it. */
type Case = readonly [typed: string, words: readonly string[]];

const CASES: readonly Case[] = [
  ["denroot im", ["import"]],
  ["denroot --debug dig", ["--debug", "digest"]],
  ["denroot import --verif", ["import", "--verify"]],
  ["denroot import doc", ["import", "docker"]],
  ["denroot import docker:", ["import", "docker://"]],
  ["denroot import docker:/", ["import", "docker://"]],
  ["denroot import dockerd", ["import", "dockerd://"]],
  ["denroot import docker-d", ["import", "docker-daemon:"]],
  ["denroot import -f cont", ["import", "-f", "containers-storage:"]],
  ["denroot import -- podm", ["import", "--", "podman://"]],
  ["denroot import -o x.sqsh oci-", ["import", "-o", "x.sqsh", "oci-archive:"]],
  ["denroot inspect --json docker-a", ["inspect", "--json", "docker-archive:"]],
  ["denroot import docker-archive:lay", ["import", "docker-archive:layouts/"]],
  ["denroot import oci-archive:lay", ["import", "oci-archive:layouts/"]],
  ["denroot tags dir:layouts/al", ["tags", "dir:layouts/alpine/"]],
  ["denroot import layouts/al", ["import", "layouts/alpine/"]],
  ["denroot import ./layouts/al", ["import", "./layouts/alpine/"]],
  ["denroot inspect tor", ["inspect", "torch image.sqsh"]],
  ["denroot import oci:lay", ["import", "oci:layouts/"]],
  ["denroot import oci:layouts/al", ["import", "oci:layouts/alpine/"]],
  ["denroot import oci:layouts:lay", ["import", "oci:layouts:lay"]],
  ["denroot import -o tor", ["import", "-o", "torch image.sqsh"]],
  ["denroot import --output=tor", ["import", "--output=torch image.sqsh"]],
  ["denroot import --arch aa", ["import", "--arch", "aarch64"]],
  ["denroot import --arch=aa", ["import", "--arch=aarch64"]],
  ["denroot import -fa aa", ["import", "-fa", "aarch64"]],
  ["denroot doctor nvcr.io docker:", ["doctor", "nvcr.io", "docker://"]],
  ["denroot copy oci:layouts/al", ["copy", "oci:layouts/alpine/"]],
  ["denroot copy docker://x docker-d", ["copy", "docker://x", "docker-daemon:"]],
  ["denroot verify --dee", ["verify", "--deep"]],
  ["denroot verify oci:x docker-arch", ["verify", "oci:x", "docker-archive:"]],
  ["denroot manifests --js", ["manifests", "--json"]],
  ["denroot delete --y", ["delete", "--yes"]],
  ["denroot copy --compress zs", ["copy", "--compress", "zstd"]],
  ["denroot copy --platform linux/ppc", ["copy", "--platform", "linux/ppc64le"]],
  ["denroot completions z", ["completions", "zsh"]],
  ["denroot help compl", ["help", "completions"]],
];

interface ShellSession {
  readonly shell: "bash" | "zsh";
  readonly command: string;
  readonly setup: (script: string) => string;
}

const SHELLS: readonly ShellSession[] = [
  {
    shell: "bash",
    command: "bash --norc --noprofile -i",
    setup: (script) => `bind 'set bell-style none'; source '${script}'`,
  },
  {
    shell: "zsh",
    command: "zsh -f -i",
    setup: (script) =>
      `unsetopt beep auto_remove_slash; autoload -Uz compinit; ` +
      `compinit -u -D; source '${script}'`,
  },
];

for (const { shell, command, setup } of SHELLS) {
  let terminal: Terminal;

  before(async () => {
    const script = join(scratch, `completions.${shell}`);
    writeFileSync(script, await runInProcess(["completions", shell]));
    terminal = openTerminal(command, { cwd: scratch, env: { PS1: "$ ", HOME: scratch } });
    // The shell echoes this line, which must not look like the answer.
    terminal.type(
      `${setup(script)}; denroot() { printf '<%s>' "$@"; echo ' done'; }; echo re''ady\n`,
    );
    await terminal.expect(/^ready$/m);
  });
  after(() => terminal.close());

  for (const [typed, words] of CASES) {
    test(`${shell} completes "${typed}"`, async () => {
      terminal.type(`${typed}\t\n`);
      const shown = await terminal.expect(/> done$/m);
      assert.equal(/(<.*>) done$/m.exec(shown)?.[1], words.map((word) => `<${word}>`).join(""));
    });
  }
}

test("zsh shows what commands and options mean", async () => {
  const script = join(scratch, "described.zsh");
  writeFileSync(script, await runInProcess(["completions", "zsh"]));
  const terminal = openTerminal("zsh -f -i", { cwd: scratch, env: { PS1: "$ ", HOME: scratch } });
  try {
    terminal.type(`autoload -Uz compinit; compinit -u -D; source '${script}'; echo re''ady\n`);
    await terminal.expect(/^ready$/m);
    terminal.type("denroot \t");
    await terminal.expect(/digest +-- Print the digest/);
    terminal.type("import --\t");
    await terminal.expect(/--force +-- overwrite an existing/);
  } finally {
    await terminal.close();
  }
});

test("zsh finds the script in a directory of its fpath", async () => {
  const directory = join(scratch, "site-functions");
  mkdirSync(directory);
  writeFileSync(join(directory, "_denroot"), await runInProcess(["completions", "zsh"]));
  const terminal = openTerminal("zsh -f -i", { cwd: scratch, env: { PS1: "$ ", HOME: scratch } });
  try {
    terminal.type(`fpath=('${directory}' $fpath); autoload -Uz compinit; compinit -u -D\n`);
    terminal.type(`denroot() { printf '<%s>' "$@"; echo ' done'; }; echo re''ady\n`);
    await terminal.expect(/^ready$/m);
    // The first TAB loads the script, and the second uses it.
    for (const words of ["<import>", "<digest>"]) {
      terminal.type(`denroot ${words.slice(1, 4)}\t\n`);
      assert.match(await terminal.expect(/> done$/m), new RegExp(`^${words} done$`, "m"));
    }
  } finally {
    await terminal.close();
  }
});

test("completion works in a bash that does not split words at colons", async () => {
  const script = join(scratch, "whole.bash");
  writeFileSync(script, await runInProcess(["completions", "bash"]));
  const terminal = openTerminal("bash --norc -i", { cwd: scratch, env: { PS1: "$ " } });
  try {
    terminal.type(`COMP_WORDBREAKS="\${COMP_WORDBREAKS//[:=]}"; source '${script}'\n`);
    terminal.type(`denroot() { printf '<%s>' "$@"; echo ' done'; }; echo re''ady\n`);
    await terminal.expect(/^ready$/m);
    for (
      const [typed, last] of [["docker:", "docker://"], ["oci:lay", "oci:layouts/"], [
        "--output=tor",
        "--output=torch image.sqsh",
      ]]
    ) {
      terminal.type(`denroot import ${typed}\t\n`);
      assert.match(await terminal.expect(/> done$/m), new RegExp(`^<import><${last}> done$`, "m"));
    }
  } finally {
    await terminal.close();
  }
});

/** The offers of fish for a line, with their descriptions. */
async function fishOffers(line: string, program = "denroot"): Promise<string[]> {
  const script = join(scratch, `${program}.fish`);
  writeFileSync(script, await runInProcess(["completions", "fish"], program));
  const { stdout } = await runProgram("fish", [
    "--no-config",
    "-c",
    `source '${script}'; complete -C '${line}'`,
  ], { cwd: scratch, env: { PATH: process.env.PATH, HOME: scratch } });
  return stdout.split("\n").filter((offer) => offer !== "");
}

const FISH_CASES: ReadonlyArray<readonly [line: string, offers: readonly string[]]> = [
  ["denroot im", ["import\tImport a container image into an enroot image file."]],
  ["denroot --debug dig", ["digest\tPrint the digest of a container image's manifest."]],
  ["denroot import --forc", ["--force\toverwrite an existing image file"]],
  ["denroot import dockerd", ["dockerd://\tan image of the Docker daemon"]],
  ["denroot import docker:", ["docker://\tan image in a registry"]],
  ["denroot import -o x.sqsh docker:", ["docker://\tan image in a registry"]],
  ["denroot import -- docker:", ["docker://\tan image in a registry"]],
  ["denroot import oci:lay", ["oci:layouts/"]],
  ["denroot import dir:lay", ["dir:layouts/"]],
  ["denroot import ./lay", ["./layouts/"]],
  ["denroot import --arch aa", ["aarch64\tarchitecture of the image (default: this machine's)"]],
  ["denroot import --output tor", ["torch image.sqsh"]],
  ["denroot import docker://a doc", []],
  ["denroot doctor nvcr.io docker:", ["docker://\tan image in a registry"]],
  ["denroot completions z", ["zsh"]],
  ["denroot help dig", ["digest\tPrint the digest of a container image's manifest."]],
];

for (const [line, offers] of FISH_CASES) {
  test(`fish completes "${line}"`, async () => {
    const bare = (offer: string) =>
      offers.some((o) => o.includes("\t")) ? offer : offer.split("\t")[0]!;
    assert.deepEqual((await fishOffers(line)).map(bare), offers);
  });
}

test("the scripts complete the name by which the user called the program", async () => {
  assert.deepEqual(await fishOffers("enroot completions z", "enroot"), ["zsh"]);
  const bash = await runInProcess(["completions", "bash"], "enroot");
  assert.match(bash, /^complete -F _enroot enroot$/m);
  const zsh = await runInProcess(["completions", "zsh"], "enroot");
  assert.match(zsh, /^#compdef enroot$/m);
  for (const script of [bash, zsh]) assert.doesNotMatch(script, /_denroot|denroot completions/);
});
