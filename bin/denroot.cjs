#!/usr/bin/env node
/**
 * The command `denroot` of the npm package. It becomes the executable for this machine, which the
 * package `@denroot/linux-ARCHITECTURE` holds. A Node older than 22.15 cannot become another program:
 * there this starts the executable, passes signals on to it, and ends as it ends.
 */
"use strict";

const { accessSync, constants, existsSync, readFileSync, writeSync } = require("node:fs");
const { basename, join } = require("node:path");

const STDERR = 2;
/** The loader that each executable names. It is there where glibc is. */
const LOADERS = {
  "linux-x64": "/lib64/ld-linux-x86-64.so.2",
  "linux-arm64": "/lib/ld-linux-aarch64.so.1",
};
/** These end a process unless it asks for them. A terminal stops and continues all processes itself. */
const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"];

const args = process.argv.slice(2);

function main() {
  const executable = findExecutable(`${process.platform}-${process.arch}`);
  requireUtf8();
  const name = calledName();
  // A failure of execve is fatal to Node: findExecutable has looked for all that can be wrong.
  if (process.execve) process.execve(executable, [name, ...args], process.env);
  else startExecutable(executable, name);
}

function findExecutable(platform) {
  const loader = LOADERS[platform];
  if (loader === undefined) {
    fail(
      `denroot has no executable for ${platform}`,
      "Run denroot on Linux with glibc, on x86-64 or arm64",
    );
  }
  if (!existsSync(loader)) {
    fail(
      `denroot needs glibc, and this system has none: there is no ${loader}`,
      "Run denroot on a system with glibc 2.17 or later. Alpine Linux has musl instead",
    );
  }
  const executable = installedExecutable(platform) ?? builtExecutable(platform);
  if (executable === undefined) {
    fail(
      `The package @denroot/${platform} is missing, which holds denroot's executable`,
      remedy(platform),
    );
  }
  if (!isExecutable(executable)) {
    fail(
      `${executable} cannot be run`,
      "Install denroot again, on a file system that is not mounted with noexec",
    );
  }
  return executable;
}

/** The one in the package for this platform, wherever the package manager has put that. */
function installedExecutable(platform) {
  try {
    return require.resolve(`@denroot/${platform}/bin/denroot`);
  } catch {
    return undefined;
  }
}

/** In denroot's own sources: what scripts/build has made. */
function builtExecutable(platform) {
  const path = join(__dirname, "../dist", `denroot-${platform}`);
  return existsSync(path) ? path : undefined;
}

function remedy(platform) {
  if (existsSync(join(__dirname, "../cli.ts"))) {
    return "These are denroot's sources: build it with scripts/build, or run bun cli.ts";
  }
  const { version } = require("../package.json");
  return "Install denroot again without --omit=optional and --no-optional, or install " +
    `@denroot/${platform}@${version} in the same place`;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Node has U+FFFD in the place of bytes that are not UTF-8: passed on, it would name another file. */
function requireUtf8() {
  const wrong = args.find((word) => word.includes("\ufffd"));
  const bytes = wrong === undefined ? undefined : commandLine();
  // The argument may really have this character.
  if (bytes === undefined || Buffer.from(bytes.toString()).equals(bytes)) return;
  fail(
    `The argument "${wrong}" is not UTF-8`,
    "denroot takes only names that are UTF-8; rename the file, or use a link to it",
  );
}

/** `denroot`, or `enroot` where a link of this name was called. The executable goes by its name. */
function calledName() {
  return basename(calledPath()) === "enroot" ? "enroot" : "denroot";
}

/** Bun shows a script's path with its links resolved; the kernel shows the one that was called. */
function calledPath() {
  const words = commandLine()?.toString().split("\0").slice(0, -1);
  return (words === undefined ? process.argv[1] : words[words.length - 1 - args.length]) ?? "";
}

/** Nothing where there is no /proc. */
function commandLine() {
  try {
    return readFileSync("/proc/self/cmdline");
  } catch {
    return undefined;
  }
}

function startExecutable(executable, name) {
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  const { spawn } = require("node:child_process");
  const child = spawn(executable, args, { stdio: "inherit", argv0: name });
  child.on("error", (error) => fail(`${executable} cannot be run: ${error.message}`));
  child.on("exit", (code, signal) => signal === null ? process.exit(code) : endBySignal(signal));
}

function endBySignal(signal) {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // Node comes here only where it ignores the signal.
  process.exit(128 + require("node:os").constants.signals[signal]);
}

function fail(message, hint) {
  writeSync(STDERR, `[ERROR] ${message}\n${hint === undefined ? "" : `        ${hint}\n`}`);
  process.exit(1);
}

main();
