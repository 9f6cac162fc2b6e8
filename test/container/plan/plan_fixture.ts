/** Inputs of a plan, with only what a test is about. */

import type { ConfigurationDirectory } from "../../../lib/container/plan/configuration.ts";
import type { PlanInputs } from "../../../lib/container/plan/plan_inputs.ts";
import type {
  ContainerNamespaces,
  ImageMounts,
  StartRequest,
} from "../../../lib/types/container.ts";

export const ROOT = "/run/denroot/root";

type Files = Readonly<Record<string, string>>;

interface Given extends Partial<Omit<PlanInputs, "request" | "configuration">> {
  readonly request?: Partial<StartRequest>;
  readonly namespaces?: Partial<ContainerNamespaces>;
  readonly imageMounts?: ImageMounts;
  /** Files by name: `a.env`, `a.fstab`; `a.sh` is executable unless its text is `off`. */
  readonly system?: Files;
  readonly user?: Files;
}

export function planInputs(given: Given = {}): PlanInputs {
  const { request, namespaces, imageMounts = "own", system = {}, user = {}, ...rest } = given;
  return {
    rootPath: ROOT,
    host: {},
    image: {},
    builtInHooks: [],
    ...rest,
    configuration: { system: directory("/etc/enroot", system), user: directory("/home", user) },
    request: startRequest(request, namespaces, imageMounts),
  };
}

function startRequest(
  request: Partial<StartRequest> = {},
  namespaces: Partial<ContainerNamespaces> = {},
  imageMounts: ImageMounts,
): StartRequest {
  return {
    name: "alpine",
    root: { type: "directory", path: "/data/alpine" },
    writable: false,
    namespaces: { pid: false, net: false, ipc: false, uts: false, ...namespaces },
    settings: {
      configPath: "/home/me/.config/enroot",
      sysconfPath: "/etc/enroot",
      dataPath: "/data",
      runtimePath: "/run/enroot",
      tempPath: "/tmp",
      loginShell: true,
      mountHome: false,
      restrictDev: false,
      imageMounts,
      lockTimeoutMs: 30_000,
    },
    environment: [],
    environmentFiles: [],
    mounts: [],
    command: [],
    fileLimit: ["1024", "4096"],
    ignoredSignals: [],
    descriptors: [],
    ...request,
  };
}

function directory(path: string, files: Files): ConfigurationDirectory {
  const all = Object.entries(files).map(([name, text]) => ({
    name,
    text,
    path: `${path}/${name}`,
  }));
  return {
    environment: all.filter(({ name }) => name.endsWith(".env")),
    mounts: all.filter(({ name }) => name.endsWith(".fstab")),
    hooks: all.filter(({ name }) => name.endsWith(".sh"))
      .map(({ name, text, path }) => ({
        name,
        path,
        isExecutable: text !== "off",
        isEmpty: text === "",
      })),
  };
}
