/** Owners, times, permissions and extended attributes of entries. */

import assert from "node:assert/strict";
import { useDenroot } from "../helpers/denroot_command.ts";
import { type LayerCase, testLayerCases } from "../helpers/layer_case.ts";
import { directory, file } from "../helpers/tar_fixture.ts";

const cases: readonly LayerCase[] = [
  {
    title: "owners beyond 21 bits and names of owners do not matter: all is root's",
    layers: [[
      file("huge", "1", { uid: 2 ** 31 - 2, gid: 2 ** 31 - 2, base256: true }),
      file("pax", "2", { pax: [["uid", "3000000"], ["gid", "3000000"], ["uname", "daemon"]] }),
      file("named", "3", { uname: "daemon", gname: "daemon", uid: 5, gid: 5 }),
    ]],
    check: (tree) => {
      for (const entry of tree.values()) assert.deepEqual([entry.uid, entry.gid], [0, 0]);
    },
  },
  {
    title: "times: fractions are cut, impossible ones become the nearest that squashfs can hold",
    layers: [[
      file("fraction", "1", { pax: [["mtime", "1500000000.987654321"]] }),
      file("whole", "2", { pax: [["mtime", "1500000001"]] }),
      file("negative", "3", { mtime: -5, base256: true }),
      file("negative-pax", "4", { pax: [["mtime", "-5.5"]] }),
      file("year-2200", "5", { mtime: 7_258_118_400 }),
      file("year-2200-pax", "6", { pax: [["mtime", "7258118400.5"]] }),
      file("beyond-53-bits", "7", { mtime: 2 ** 60, base256: true }),
      file("thirty-digits", "8", { pax: [["mtime", "9".repeat(30)]] }),
    ]],
    umoci: false, // squashfs cannot hold times before 1970 and after February 2106.
    check: (tree) => {
      const times = ["fraction", "whole", "negative", "negative-pax"]
        .map((path) => tree.get(path)!.mtime);
      assert.deepEqual(times, [1_500_000_000, 1_500_000_001, 0, 0]);
      for (const path of ["year-2200", "year-2200-pax", "beyond-53-bits", "thirty-digits"]) {
        assert.equal(tree.get(path)!.mtime, 2 ** 32 - 1, path);
      }
    },
  },
  {
    title: "a time after the image's creation stays what it is",
    layers: [[file("newer", "1", { mtime: 1_750_000_000 }), file("older", "2", { mtime: 1 })]],
    holds: { newer: "1" },
  },
  {
    title: "extended attributes survive byte for byte",
    layers: [[
      file("ping", "1", {
        mode: 0o755,
        xattrs: {
          "security.capability": Buffer.from("0100000200200000000000000000000000000000", "hex"),
        },
      }),
      file("user", "2", { xattrs: { "user.text": "v", "user.binary": Buffer.from([0, 10, 255]) } }),
      directory("d", { xattrs: { "trusted.note": "y", "user.d": "x" } }),
    ]],
  },
  {
    title: "extended attributes of the machine that built the image stay behind",
    layers: [[
      file("f", "1", {
        xattrs: {
          ...{ "security.selinux": "unlabeled_t", "security.ima": "1", "security.evm": "2" },
          ...{ "user.overlay.redirect": "x", "user.fuseoverlayfs.origin": "y", "user.own": "z" },
        },
      }),
      directory("d", { xattrs: { "trusted.overlay.opaque": "y" } }),
    ]],
    umoci: false, // It keeps most of them.
    check: (tree) => {
      assert.deepEqual(Object.keys(tree.get("f")!.xattrs ?? {}), ["user.own"]);
      assert.equal(tree.get("d")!.xattrs, undefined);
    },
  },
  {
    title: "set-user-id, sticky and odd modes: usable for the owner as enroot makes them",
    layers: [[
      file("suid", "1", { mode: 0o4755 }),
      file("sgid", "2", { mode: 0o2711 }),
      file("none", "3", { mode: 0 }),
      file("others-only", "4", { mode: 0o001 }),
      directory("closed", { mode: 0 }),
      file("closed/x", "5", { mode: 0o200 }),
      directory("tmp", { mode: 0o1777 }),
    ]],
    check: (tree) => {
      const modes = ["suid", "sgid", "none", "others-only", "closed", "closed/x", "tmp"]
        .map((path) => tree.get(path)!.mode);
      assert.deepEqual(modes, [0o4755, 0o2711, 0o400, 0o501, 0o700, 0o600, 0o1777]);
    },
  },
];

const denroot = useDenroot();
testLayerCases(() => denroot, cases);
