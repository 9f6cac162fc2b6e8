/** Which credential helpers are asked, what for, and what becomes of their answers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isError } from "../registry_fixture.ts";
import { scratchDirectory } from "../../../helpers/scratch.ts";
import { auth, DOCKER, finderIn, PODMAN } from "./credentials_fixture.ts";

const find = finderIn(scratchDirectory("credential-helper"));

/** A helper, as docker runs it: it reads the server on standard input and prints JSON. */
const HELPER = `#!/bin/sh
read -r server || :
[ "$1" = get ] || exit 9
case "$server" in
  reg.io) echo '{"ServerURL":"reg.io","Username":"u","Secret":"p"}' ;;
  token.io) echo '{"ServerURL":"token.io","Username":"<token>","Secret":"refresh"}' ;;
  https://index.docker.io/v1/) echo '{"Username":"hub","Secret":"p"}' ;;
  broken.io) echo 'it is locked'; exit 1 ;;
  garbled.io) echo 'hunter2' ;;
  *) echo 'credentials not found in native keychain'; exit 1 ;;
esac
`;

for (const kind of ["credHelpers", "credsStore"]) {
  const files = (host: string) => ({
    "bin/docker-credential-fake": HELPER,
    [DOCKER]: kind === "credsStore" ? { credsStore: "fake" } : { credHelpers: { [host]: "fake" } },
  });

  test(`${kind}: the helper program is asked`, async () => {
    assert.deepEqual(await find({ files: files("reg.io") }), {
      found: "u:p",
      log: ["info: Using credentials from docker-credential-fake"],
    });
  });

  test(`${kind}: a token of the helper is an identity token`, async () => {
    const { found } = await find({ files: files("token.io") }, { registry: "token.io" });
    assert.equal(found, "<token>:refresh");
  });

  test(`${kind}: the helper gets docker's name for Docker Hub`, async () => {
    const query = { registry: "registry-1.docker.io" };
    assert.equal((await find({ files: files("docker.io") }, query)).found, "hub:p");
  });

  test(`${kind}: the helper is not asked for another port`, async () => {
    const query = { registry: "reg.io:5000" };
    assert.equal((await find({ files: files("reg.io") }, query)).found, undefined);
  });

  test(`${kind}: a helper without an entry is not an error`, async () => {
    assert.equal(
      (await find({ files: files("none.io") }, { registry: "none.io" })).found,
      undefined,
    );
  });

  test(`${kind}: a helper that fails is an error`, async () => {
    await assert.rejects(
      find({ files: files("broken.io") }, { registry: "broken.io" }),
      isError(
        "credentials",
        /docker-credential-fake failed for broken\.io: exit code 1: it is locked/,
      ),
    );
    await assert.rejects(
      find({ files: files("garbled.io") }, { registry: "garbled.io" }),
      isError("credentials", /its answer is not JSON$/),
    );
  });
}

test("a helper that hangs is named, and ends with the abort", async () => {
  const told: string[] = [];
  const files = {
    "bin/docker-credential-slow": "#!/bin/sh\nexec sleep 60\n",
    [DOCKER]: { credHelpers: { "reg.io": "slow" } },
  };
  await assert.rejects(
    find({ files, abortWhenTold: true, log: (line) => told.push(line) }),
    isError("aborted", /Interrupted/),
  );
  assert.deepEqual(told, [
    "warn: docker-credential-slow has not answered for 0.1 seconds; still waiting",
  ]);
});

test("a helper that fails after it printed its answer does not get it shown", async () => {
  const helper = `#!/bin/sh\necho '{"Username":"u","Secret":"hunter2"}'; exit 1\n`;
  const files = {
    "bin/docker-credential-late": helper,
    [DOCKER]: { credHelpers: { "reg.io": "late" } },
  };
  await assert.rejects(find({ files }), (error: Error) => {
    assert.doesNotMatch(error.message, /hunter2/);
    return isError("credentials", /docker-credential-late failed for reg\.io: exit code 1$/)(error);
  });
});

test("a missing helper that is configured for the registry is an error", async () => {
  await assert.rejects(
    find({ files: { [DOCKER]: { credHelpers: { "reg.io": "missing" } } } }),
    isError("credentials", /docker-credential-missing was not found/),
  );
});

test("a missing store for all registries is ignored with a warning", async () => {
  const { found, log } = await find({ files: { [DOCKER]: { credsStore: "desktop" } } });
  assert.equal(found, undefined);
  assert.match(log[0] ?? "", /^warn: .*docker-credential-desktop was not found/);
});

test("the helpers of registries.conf are asked in their order, and so are the files", async () => {
  const files = {
    "bin/docker-credential-fake": HELPER,
    [PODMAN]: { auths: { "reg.io": auth("file:p"), "none.io": auth("file:p") } },
  };
  const first = { files, helpers: ["fake", "containers-auth.json"] };
  assert.equal((await find(first)).found, "u:p");
  assert.equal((await find(first, { registry: "none.io" })).found, "file:p");
  const last = { files, helpers: ["containers-auth.json", "fake"] };
  assert.equal((await find(last)).found, "file:p");
  // Without containers-auth.json in the list the files are not read.
  assert.equal(
    (await find({ files, helpers: ["fake"] }, { registry: "none.io" })).found,
    undefined,
  );
});
