/** What a container executes at last. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { planCommand } from "../../../lib/container/command/plan_command.ts";
import { commandFacts } from "./command_fixture.ts";

type Given = Parameters<typeof commandFacts>[0];

const rc = { "/etc/rc": 'exec "$@"\n' };
const own = `mkdir -p '/w' 2> /dev/null
cd '/w' || exit 1
unset OLDPWD
if [ -s /etc/rc.local ]; then
    . /etc/rc.local
fi
if [ $# -eq 0 ]; then
    exec '/entry' 'run'
else
    exec '/entry' "$@"
fi
`;
const keepPath = 'case ":$PATH:" in *":$1:"*) ;; *) PATH=$1:$PATH ;; esac; export PATH; shift; ';

const cases: readonly (readonly [title: string, given: Given, argv: readonly string[]])[] = [
  ["a command without a script is run by the shell", { command: ["ls", "-l"] }, [
    "sh",
    "-c",
    'exec "$@"',
    "sh",
    "ls",
    "-l",
  ]],
  ["a script gets the command as its arguments", { texts: rc, command: ["ls", "-l"] }, [
    "sh",
    "/etc/rc",
    "ls",
    "-l",
  ]],
  ["a script that the user gives comes first", { texts: rc, rc: "/proc/self/fd/9" }, [
    "sh",
    "/proc/self/fd/9",
  ]],
  ["the first enroot's script is in rc.local", {
    texts: { "/etc/rc.local": 'cd /\nexec "$@"\n' },
    command: ["ls"],
  }, ["sh", "/etc/rc.local", "ls"]],
  ["another rc.local is no script for commands", { texts: { "/etc/rc.local": "exit 0\n" } }, [
    "sh",
  ]],
  ["a word with a blank is a text for the shell", { command: ["echo $1", "a b"] }, [
    "sh",
    "-c",
    "echo $1",
    "sh",
    "a b",
  ]],
  ["a file that is not executable is a script", { texts: { "/x": "" }, command: ["/x", "y"] }, [
    "sh",
    "/x",
    "y",
  ]],
  ["nothing to run is an interactive shell", {}, ["sh"]],
  ["SHELL names the shell", {
    variables: { SHELL: "/usr/bin/bash" },
    programs: ["/usr/bin/bash"],
    command: ["x"],
  }, ["bash", "-c", 'exec "$@"', "bash", "x"]],
  ["SHELL does not count where it is missing", { variables: { SHELL: "/bin/bash" } }, ["sh"]],
  ["a login shell has a dash before its name", { loginShell: true }, ["-sh"]],
  ["a login shell keeps the container's PATH over the profile", {
    loginShell: true,
    variables: { PATH: "/opt/bin:/bin" },
    texts: rc,
    command: ["ls", "-l"],
  }, ["-sh", "-c", `${keepPath}. "$0"`, "/etc/rc", "/opt/bin:/bin", "ls", "-l"]],
  ["so it does for a command", {
    loginShell: true,
    variables: { PATH: "/opt/bin" },
    command: ["ls"],
  }, ["-sh", "-c", `${keepPath}exec "$@"`, "sh", "/opt/bin", "ls"]],
  ["so it does for a text", {
    loginShell: true,
    variables: { PATH: "/opt/bin" },
    command: ["ls -l", "x"],
  }, ["-sh", "-c", `${keepPath}ls -l`, "sh", "/opt/bin", "x"]],
  ["so it does for a script in the current directory", {
    loginShell: true,
    variables: { PATH: "/opt/bin", HOME: "/h" },
    texts: { "/h/x": "" },
    command: ["x"],
  }, ["-sh", "-c", `${keepPath}. "$0"`, "./x", "/opt/bin"]],
  ["a PATH that login.defs gives is the profile's to change", { loginShell: true, texts: rc }, [
    "-sh",
    "/etc/rc",
  ]],
  ["a shell of another kind is left alone", {
    loginShell: true,
    variables: { PATH: "/opt/bin", SHELL: "/bin/tcsh" },
    programs: ["/bin/tcsh"],
    texts: rc,
  }, ["-tcsh", "/etc/rc"]],
  ["FAKE_SHELL of login.defs comes first", {
    loginShell: true,
    texts: { "/etc/login.defs": "FAKE_SHELL /bin/fake\n" },
    programs: ["/bin/fake", "/bin/sh"],
  }, ["-fake"]],
  ["a script of denroot's does not leave the directory that the user wants", {
    workdir: "/here",
    texts: { "/etc/rc": own },
    command: ["x"],
  }, ["sh", "-c", 'cd() { unset -f cd; }; . "$0"', "/etc/rc", "x"]],
  ["a script of another kind goes where it wants", { workdir: "/here", texts: rc }, [
    "sh",
    "/etc/rc",
  ]],
];
for (const [title, given, argv] of cases) {
  test(title, () => {
    const planned = planCommand(commandFacts(given));
    assert.deepEqual(planned.argv, argv);
    assert.equal(planned.path.split("/").at(-1), argv[0]!.replace(/^-/, ""));
  });
}

const direct: readonly (readonly [title: string, given: Given, path: string, argv: string[]])[] = [
  ["the entrypoint and the command of its script", { texts: { "/etc/rc": own } }, "/entry", [
    "/entry",
    "run",
  ]],
  [
    "the entrypoint with the arguments",
    { texts: { "/etc/rc": own }, command: ["a", "b c"] },
    "/entry",
    [
      "/entry",
      "a",
      "b c",
    ],
  ],
  [
    "the arguments alone where rc.local says so",
    {
      texts: { "/etc/rc": own, "/etc/rc.local": 'exec "$@"\n' },
      command: ["/app", "x"],
    },
    "/app",
    ["/app", "x"],
  ],
  [
    "a command without a script, found in PATH",
    {
      command: ["app", "x"],
      variables: { PATH: "relative:/bin:/opt" },
      programs: ["/opt/app"],
    },
    "/opt/app",
    ["app", "x"],
  ],
  ["a command by a relative path", { command: ["./app"], workdir: "/w" }, "/w/app", ["./app"]],
];
for (const [title, given, path, argv] of direct) {
  test(`a container without a shell runs ${title}`, () => {
    const planned = planCommand(commandFacts({ programs: [], ...given }));
    assert.deepEqual([planned.path, planned.argv], [path, argv]);
  });
}

test("a container without a shell starts in its script's directory, or where the user wants", () => {
  const facts = { programs: [], texts: { "/etc/rc": own } };
  assert.equal(planCommand(commandFacts(facts)).directory, "/w");
  assert.equal(planCommand(commandFacts({ ...facts, workdir: "/x" })).directory, "/x");
});

const impossible: readonly (readonly [title: string, given: Given, message: RegExp])[] = [
  ["nothing to run", {}, /a start without a command needs one/],
  ["a script of another kind", { texts: rc }, /its command script \/etc\/rc needs one/],
  [
    "an rc.local that does something",
    { texts: { "/etc/rc": own, "/etc/rc.local": "export A=1\n" } },
    /\/etc\/rc\.local needs one/,
  ],
  ["a program that is missing", { command: ["x"] }, /has no program "x"/],
];
for (const [title, given, message] of impossible) {
  test(`a container without a shell refuses ${title}`, () => {
    assert.throws(() => planCommand(commandFacts({ programs: [], ...given })), message);
  });
}

test("the directory is the user's, else HOME of a login, else the root", () => {
  const variables = { HOME: "/h" };
  const directory = (given: Given) => {
    const { directory, directoryIsOptional } = planCommand(commandFacts(given));
    return [directory, directoryIsOptional];
  };
  assert.deepEqual(directory({ variables }), ["/", true]);
  assert.deepEqual(directory({ variables, loginShell: true }), ["/h", true]);
  assert.deepEqual(directory({ loginShell: true }), ["/", true]);
  assert.deepEqual(directory({ variables, loginShell: true, workdir: "/w" }), ["/w", false]);
});

test("/etc/nologin keeps users out, but not root", () => {
  const given = { loginShell: true, texts: { "/etc/nologin": "Closed.\n" }, command: ["ls"] };
  const planned = planCommand(commandFacts(given));
  assert.deepEqual([planned.refusesLogins, planned.message], [true, "Closed.\n"]);
  assert.equal(planCommand(commandFacts({ ...given, insideUid: 0 })).refusesLogins, false);
  assert.equal(planCommand(commandFacts({ ...given, loginShell: false })).refusesLogins, false);
});

test("the message of the day is for interactive shells", () => {
  const texts = { "/etc/login.defs": "MOTD_FILE /etc/motd:/etc/more\n", "/etc/motd": "Hello\n" };
  const message = (given: Given) =>
    planCommand(commandFacts({ loginShell: true, texts, ...given })).message;
  assert.equal(message({}), "Hello\n");
  assert.equal(message({ command: ["ls"] }), undefined);
  const hushed = {
    ...texts,
    "/etc/login.defs": `${texts["/etc/login.defs"]}HUSHLOGIN_FILE .hush\n`,
  };
  assert.equal(message({ texts: hushed }), "Hello\n");
  const quiet = { ...hushed, "/h/.hush": "" };
  assert.equal(message({ texts: quiet, variables: { HOME: "/h" } }), undefined);
});
