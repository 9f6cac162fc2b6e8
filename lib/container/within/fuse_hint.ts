/** What to do where /dev/fuse cannot be opened. */
export const FUSE_HINT =
  "Load the module fuse (modprobe fuse), and let all users open /dev/fuse (mode 666); a container of " +
  "Docker or podman gets it with --device /dev/fuse. Or start image files with --unpack, or make " +
  "containers of them with denroot create";
