/** Which variables a container has, and from where. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { planEnvironment } from "../../../lib/container/plan/plan_environment.ts";
import { planInputs } from "./plan_fixture.ts";

const noTerminal = { "10-terminal.env": "" };

test("variables come from the image, the system, the user, the script, files and options", () => {
  const { variables } = planEnvironment(planInputs({
    host: { TERM: "xterm", FROM_HOST: "h" },
    image: { environment: "A=image\nB=${FROM_HOST}\nENROOT_X=1\n" },
    system: { "50-s.env": "A=system\n", "05-s.env": "S=${FROM_HOST}\n" },
    user: { "u.env": "A=user\n" },
    script: { path: "/conf", environment: "A=script\nC=${FROM_HOST}\n", hasHooks: false },
    request: {
      environmentFiles: [{ path: "/f.env", text: "A=file\nFROM_HOST\n" }],
      environment: ["A=option", "FROM_HOST", "MISSING"],
    },
  }));
  assert.deepEqual(variables.map(({ name, value, origin }) => `${name}=${value} (${origin})`), [
    "A=image (/etc/environment of the image)",
    "B=h (/etc/environment of the image)",
    "S=h (/etc/enroot/05-s.env)",
    "TERM=xterm (built-in 10-terminal.env)",
    "A=system (/etc/enroot/50-s.env)",
    "A=user (/home/u.env)",
    "A=script (environ() of /conf)",
    "C=${FROM_HOST} (environ() of /conf)",
    "A=file (/f.env)",
    "FROM_HOST=h (/f.env)",
    "A=option (--env)",
    "FROM_HOST=h (--env)",
    "MISSING= (--env)",
  ]);
});

test("a value of the host that was not UTF-8 is named", () => {
  const { warnings } = planEnvironment(planInputs({
    host: { TITLE: "caf\ufffd", OTHER: "\ufffd" },
    request: { environment: ["TITLE", "OWN=\ufffd"] },
  }));
  assert.deepEqual(warnings, ["The host's TITLE is not UTF-8: some bytes become U+FFFD"]);
});

test("a site's file takes the place of the built-in one", () => {
  const system = { "10-terminal.env": "TERM=dumb\n" };
  const { variables } = planEnvironment(planInputs({ host: { TERM: "xterm" }, system }));
  assert.deepEqual(variables, [
    { name: "TERM", value: "dumb", origin: "/etc/enroot/10-terminal.env" },
  ]);
});

test("A VALUE OF THE HOST ADDS A VARIABLE if its line breaks mean anything", () => {
  const { variables } = planEnvironment(planInputs({
    host: { EVIL: "x\nLD_PRELOAD=/evil.so" },
    image: { environment: "A=${EVIL}\n" },
    system: { ...noTerminal, "s.env": 'B="${EVIL}"\nEVIL=$EVIL\n' },
    request: { environment: ["EVIL"] },
  }));
  assert.deepEqual(variables.map(({ name }) => name), ["A", "B", "EVIL", "EVIL"]);
  assert.ok(variables.every(({ value }) => value === "x\nLD_PRELOAD=/evil.so"));
});

test("a wrong name is refused, and the value stays secret", () => {
  for (const word of ["1A=secret", "=secret", "A B=secret"]) {
    assert.throws(
      () => planEnvironment(planInputs({ request: { environment: [word] } })),
      (error) => /^--env "/.test((error as Error).message) && !/secret/.test(String(error)),
    );
  }
});

test("enroot's own variables cannot be set, and the user is told", () => {
  const { variables, warnings } = planEnvironment(
    planInputs({ system: noTerminal, request: { environment: ["ENROOT_ROOTFS=/"] } }),
  );
  assert.deepEqual(variables, []);
  assert.match(warnings[0]!, /--env ENROOT_ROOTFS has no effect/);
});
