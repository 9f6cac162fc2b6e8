/** The command line: options in enroot's forms, help, and the errors for wrong use. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { errorText } from "../../lib/command/output/console.ts";
import { createProgram } from "../../lib/command/run_command_line.ts";
import { DenrootError } from "../../lib/errors.ts";
import { newContext, runInProcess as run } from "./command_context.ts";

const COMMANDS = ["import", "digest", "cache", "info", "doctor", "completions", "version", "help"];

for (const command of COMMANDS) {
  test(`${command} --help shows the options and an example`, async () => {
    const text = await run([command, "--help"]);
    assert.match(text, new RegExp(`^Usage: denroot ${command} `));
    assert.match(text, new RegExp(`\\nExamples?:\\n  \\$ denroot ${command}`));
    assert.equal(await run(["help", command]), text);
    assert.equal(await run([command, "-h"]), text);
  });
}

test("help lists all commands", async () => {
  for (const args of [["help"], ["--help"], ["-h"]]) {
    const text = await run(args);
    for (const command of COMMANDS) {
      assert.match(text, new RegExp(`^  ${command}\\b`, "m"));
    }
    assert.match(text, /^Example:\n {2}\$ denroot import docker:/m);
  }
});

test("the help has the name by which the user called the program", async () => {
  assert.match(await run(["import", "--help"], "enroot"), /^Usage: enroot import /);
});

test("version prints only the number", async () => {
  assert.match(await run(["version"]), /^\d+\.\d+\.\d+\n$/);
  assert.equal(await run(["--version"]), await run(["version"]));
});

const WITH_PASSWORD: ReadonlyArray<readonly string[]> = [
  ["docker://me:hunter2@h#x"],
  ["docker://me:hun hunter2@h#x"],
  ["import", "--password=hunter2", "u"],
  ["import", "u", "hunter2"],
  ["info", "hunter2"],
  ["help", "docker://me:hunter2@h/x"],
  ["completions", "me:hunter2@h"],
  ["import", "--arch=me:hunter2@h", "u"],
  ["digest", "me:hunter2@h/x"],
  ["doctor", "https://me:hunter2@h/x"],
];

for (const args of WITH_PASSWORD) {
  test(`no error shows the password of ${args.join(" ")}`, async () => {
    const error = await run(args).then(() => undefined, (error: unknown) => error);
    assert(error instanceof DenrootError);
    for (const debug of [false, true]) {
      assert.doesNotMatch(errorText(error, { colour: false, debug }), /hunter2/);
    }
  });
}

const IMPORT_OPTIONS: ReadonlyArray<
  [args: readonly string[], options: Readonly<Record<string, unknown>>]
> = [
  [["u"], {}],
  [["--", "u"], {}],
  [["-o", "F", "u"], { output: "F" }],
  [["-oF", "u"], { output: "F" }],
  [["--output", "F", "u"], { output: "F" }],
  [["--output=F", "u"], { output: "F" }],
  [["--output=a=b", "u"], { output: "a=b" }],
  [["-a", "arm64", "u"], { arch: "arm64" }],
  [["--arch", "aarch64", "-o", "F", "--", "u"], { arch: "aarch64", output: "F" }],
  [["--arch=aarch64", "u"], { arch: "aarch64" }],
  [["-f", "--verify", "--json", "u"], { force: true, verify: true, json: true }],
  [["--force", "u"], { force: true }],
  [["u", "-o", "F"], { output: "F" }],
  [["-o", "-", "u"], { output: "-" }],
];

for (const [args, options] of IMPORT_OPTIONS) {
  test(`import understands ${args.join(" ")}`, async () => {
    const program = createProgram(newContext().context);
    const command = program.commands.find((command) => command.name() === "import")!;
    let seen: unknown;
    command.action((uri: string, options: unknown) => {
      seen = { uri, options };
    });
    await program.parseAsync(["import", ...args], { from: "user" });
    assert.deepEqual(seen, { uri: "u", options });
  });
}

const WRONG: ReadonlyArray<[args: readonly string[], message: RegExp, hint: string]> = [
  [[], /No command/, "See denroot --help"],
  [["--debug"], /No command given$/, "See denroot --help"],
  [["--"], /No command given$/, "See denroot --help"],
  [["frob"], /Unknown command 'frob'/, "See denroot --help"],
  [["--frob"], /Unknown option '--frob'/, "See denroot --help"],
  [["import"], /Missing required argument 'URI'/, "See denroot import --help"],
  [["import", "a", "b"], /Too many arguments/, "See denroot import --help"],
  [["import", "--frob", "u"], /Unknown option '--frob'/, "See denroot import --help"],
  [["import", "u", "-o"], /argument missing/, "See denroot import --help"],
  [
    ["import", "--output=", "u"],
    /argument '' is invalid. It is empty/,
    "See denroot import --help",
  ],
  [["import", "-o", "", "u"], /argument '' is invalid/, "See denroot import --help"],
  [["import", "--force=yes", "u"], /./, "See denroot import --help"],
  [["digest"], /Missing required argument/, "See denroot digest --help"],
  [["digest", "-o", "F", "u"], /Unknown option '-o'/, "See denroot digest --help"],
  [["version", "x"], /Too many arguments/, "See denroot version --help"],
  [["help", "frob"], /no command "frob"/, "See denroot --help"],
  [["help", "imprt"], /no command "imprt"; is it "import"\?/, "See denroot --help"],
  [["start", "--json", "box"], /^--json needs --dry-run$/, "decides what it prints"],
  [["run", "--json", "u"], /^--json needs --dry-run$/, "decides what it prints"],
  [
    ["cache", "frob"],
    /^ACTION cannot be 'frob'. Allowed choices are show, prune/,
    "See denroot cache --help",
  ],
  [["cache", "prune"], /needs --older-than or --keep-bytes/, "See denroot cache --help"],
  [["cache", "prune", "--dry-run"], /needs --older-than or/, "See denroot cache --help"],
  [["cache", "--keep-bytes", "1G"], /Only cache prune takes/, "See denroot cache --help"],
  [["cache", "show", "--dry-run"], /Only cache prune takes/, "See denroot cache --help"],
  [
    ["cache", "prune", "--older-than", "30"],
    /'30' is invalid. Write a time, such as 90m, 12h, 30d or 2w/,
    "See denroot cache --help",
  ],
  [
    ["cache", "prune", "--keep-bytes", "-1"],
    /'-1' is invalid. Write a size below 8192T, such as 500M or 1.5G/,
    "See denroot cache --help",
  ],
  [
    ["inspect", "--raw", "--json", "u"],
    /'--raw' cannot be used with option '--json'/,
    "See denroot inspect --help",
  ],
  [
    ["inspect", "--json", "--config", "u"],
    /'--config' cannot be used with/,
    "See denroot inspect --help",
  ],
  [["tags", "--arch", "arm64", "u"], /--arch needs --long/, "See denroot tags --help"],
  [["bundle", "x.sqsh"], /has no command "bundle"/, "See denroot --help"],
];

for (const [args, message, hint] of WRONG) {
  test(`"denroot ${args.join(" ")}" is wrong use, and the error points to the help`, async () => {
    await assert.rejects(run(args), (error: unknown) => {
      assert(error instanceof DenrootError);
      assert.equal(error.code, "usage");
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\.$/);
      assert.match(error.hint ?? "", new RegExp(`${hint}$`));
      return true;
    });
  });
}

test("the help and the manual of sync show that the lists stand before the destination", async () => {
  assert.match(
    await run(["sync", "--help"]),
    /^Usage: denroot sync \[options\] <LIST\.\.\.> <DESTIN/,
  );
  assert.match(await run(["help", "--man", "sync"]), /LIST\\fR \.\.\. \\fIDESTINATION\\fR$/m);
});

test("a bad reference is not an error of the command line", async () => {
  await assert.rejects(
    run(["import", "docker://Bad"]),
    (error: unknown) => error instanceof DenrootError && error.code === "reference",
  );
});

test("info --json is JSON with all settings", async () => {
  const { version, settings } = JSON.parse(await run(["info", "--json"]));
  assert.match(version, /^\d/);
  const names = settings.map((entry: { name: string }) => entry.name);
  for (const name of ["ENROOT_CACHE_PATH", "ENROOT_SQUASH_OPTIONS", "SSL_CERT_FILE", "no_proxy"]) {
    assert(names.some((found: string) => found.toLowerCase() === name.toLowerCase()), name);
  }
  for (const entry of settings) {
    assert.equal(typeof entry.value, "string");
    assert.equal(typeof entry.origin, "string");
  }
});
