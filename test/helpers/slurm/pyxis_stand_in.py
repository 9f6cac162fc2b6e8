#!/usr/bin/python3
"""Stands for pyxis, Slurm's plugin for containers, where that is not installed.

    srun pyxis_stand_in.py [--container-...] -- COMMAND [ARGUMENT...]    each task of a step
    pyxis_stand_in.py --epilog                                           as a job ends on a node

It calls enroot as pyxis 0.24 does: with its arguments, environment, descriptors, signals and working
directories. This process does what pyxis does in slurmstepd; its child does what pyxis does in the
task, and becomes the command. The arguments that plugstack.conf would have stand in pyxis.conf beside
this file.
"""

import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import signal
import sys
import tempfile

from enroot_calls import Enroot, Failure, print_log, read_log, say

HERE = os.path.dirname(os.path.abspath(__file__))
LIBC = ctypes.CDLL(None, use_errno=True)
ENVIRONMENT = dict(os.environ)
DENIED = """PATH LD_LIBRARY_PATH LD_PRELOAD SLURM_PROCID SLURM_LOCALID SLURM_TASK_PID PMIX_RANK PMI_FD
    ENROOT_LIBRARY_PATH ENROOT_SYSCONF_PATH ENROOT_RUNTIME_PATH ENROOT_CACHE_PATH ENROOT_DATA_PATH
    ENROOT_TEMP_PATH ENROOT_ZSTD_OPTIONS ENROOT_TRANSFER_RETRIES ENROOT_CONNECT_TIMEOUT
    ENROOT_MAX_CONNECTIONS ENROOT_ALLOW_HTTP""".split()
# Slurm gives these to tasks alone.
OF_TASKS = """SLURM_NODEID SLURMD_NODENAME SLURM_CPUS_ON_NODE SLURM_GTIDS
    SLURM_LAUNCH_NODE_IPADDR""".split()
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
# What slurmstepd blocks while it does not run a task.
BLOCKED = {getattr(signal, "SIG" + name) for name in "HUP INT QUIT USR1 USR2 PIPE ALRM TERM TSTP".split()}
BATCH_STEP = "4294967291"
NAMESPACES = ["user", "cgroup", "mnt", "ipc", "uts", "net"]


def read_config():
    config = {"runtime_path": "/run/pyxis", "container_scope": "global", "execute_entrypoint": "0"}
    with open(os.path.join(HERE, "pyxis.conf")) as file:
        config.update(pair.split("=", 1) for pair in file.read().split())
    return argparse.Namespace(**{
        "use_enroot_load": "0", "use_squashfuse": "0", "importer": "", **config})


def parse_options(arguments):
    parser = argparse.ArgumentParser()
    for name in "image mounts workdir name save env unshare".split():
        parser.add_argument("--container-" + name, dest=name)
    for name in ["mount-home", "remap-root", "entrypoint"]:
        key = name.replace("-", "_")
        parser.add_argument("--container-" + name, dest=key, action="store_true", default=None)
        parser.add_argument("--no-container-" + name, dest=key, action="store_false")
    parser.add_argument("--container-entrypoint-log", dest="entrypoint_log", action="store_true")
    parser.add_argument("--container-writable", dest="writable", action="store_true", default=None)
    parser.add_argument("--container-readonly", dest="writable", action="store_false")
    parser.add_argument("command", nargs="+")
    return parser.parse_args(arguments)


class Step:
    def __init__(self, config, options):
        self.config, self.options = config, options
        self.job = ENVIRONMENT["SLURM_JOB_ID"]
        self.is_batch = "SLURM_STEP_ID" not in ENVIRONMENT
        self.step = ENVIRONMENT.get("SLURM_STEP_ID", BATCH_STEP)
        self.tasks = 1 if self.is_batch else self.local_tasks()
        self.directory = f"{config.runtime_path}/{os.getuid()}"
        self.has_image_path = (options.image or "")[:1] in ("/", ".")
        self.temporary = options.name is None
        self.mounts = self.parse_mounts()
        environment = self.enroot_environment()
        self.task_enroot = Enroot(environment)
        self.enroot = Enroot({name: environment[name] for name in environment if name not in OF_TASKS})

    def local_tasks(self):
        """SLURM_STEP_TASKS_PER_NODE is like `2(x3),1`."""
        counts = []
        for part in ENVIRONMENT["SLURM_STEP_TASKS_PER_NODE"].split(","):
            count, _, times = part.rstrip(")").partition("(x")
            counts += [int(count)] * int(times or 1)
        return counts[int(ENVIRONMENT["SLURM_NODEID"])]

    def enroot_environment(self):
        result = {name: value for name, value in ENVIRONMENT.items() if name not in DENIED}
        result.update(PATH=PATH, SLURM_JOB_UID=str(os.getuid()), SLURM_JOB_GID=str(os.getgid()))
        for option, name in [("mount_home", "MOUNT_HOME"), ("remap_root", "REMAP_ROOT"), ("writable", "ROOTFS_WRITABLE")]:
            value = getattr(self.options, option)
            if value is not None:
                result["ENROOT_" + name] = "y" if value else "n"
        for name in (self.options.unshare or "").upper().split(","):
            if name:
                result["ENROOT_UNSHARE_" + name] = "y"
        result.update(PYXIS_RUNTIME_PATH=self.config.runtime_path, PYXIS_VERSION="0.24.0")
        return result

    def parse_mounts(self):
        mounts = []
        for one in (self.options.mounts or "").split(","):
            source, _, rest = one.partition(":")
            target, _, flags = rest.partition(":")
            if source:
                mounts.append((source, target or source, flags.replace("+", ",")))
        if self.is_batch:
            script = self.options.command[0]
            mounts.append((script, script, "x-create=file,bind,ro,nosuid,nodev,private"))
        return mounts

    @contextlib.contextmanager
    def shared(self):
        """The state that this step's tasks on this node share, locked."""
        with open(f"{self.directory}/{self.job}.{self.step}.state", "a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            state = json.loads(file.read() or '{"started": 0, "completed": 0}')
            try:
                yield state
            finally:
                file.truncate(0)
                file.write(json.dumps(state))

    # In slurmstepd

    def prepare(self, state):
        """Once per step and node: which container is it?"""
        if "name" in state:
            return
        scope = f"pyxis_{self.job}_" if self.config.container_scope == "job" else "pyxis_"
        name, _, flag = (self.options.name or f"{self.job}.{self.step}").partition(":")
        state.update(name=scope + name, pid=None, exists=False, attach=None, squashfuse=False)
        if self.temporary:
            return self.choose_squashfuse(state)
        pid = self.find_container(state["name"])
        if flag == "create" and pid is not None:
            raise Failure('"create" flag was passed to --container-name but the container already exists')
        if flag == "exec" and not pid:
            raise Failure('"exec" flag was passed to --container-name but the container is not running')
        if pid is None and self.options.image is None:
            raise Failure(f'a container with name "{state["name"]}" does not exist, and --container-image is not set')
        state.update(exists=pid is not None, attach=pid if pid and flag != "no_exec" else None)

    def choose_squashfuse(self, state):
        usable = self.config.use_squashfuse == "1" and self.options.save is None
        state["squashfuse"] = usable and (self.has_image_path or self.config.importer != "")

    def find_container(self, name):
        """None: there is none; 0: it is stopped."""
        lines = self.enroot.run("list", "-f")
        if not lines:
            raise Failure('"enroot list -f" did not produce any usable output')
        for line in lines[1:]:
            words = line.split()
            if words[0] == name:
                return int(words[1]) if len(words) > 1 else 0
        return None

    def clean_up(self, state):
        """After the last task."""
        os.chdir("/")
        if self.options.save is not None and state["started"] == self.tasks:
            path = os.path.join(ENVIRONMENT["PWD"], self.options.save)
            self.enroot.run("export", "-f", "-o", path, state["name"])
        with contextlib.suppress(Failure):
            if self.config.importer != "" and not self.has_image_path and not state["exists"]:
                self.enroot.importer(self.config.importer, "release")
        with contextlib.suppress(Failure):
            if self.temporary and not state["squashfuse"]:
                self.enroot.run("remove", "-f", state["name"])
        if state["squashfuse"] and (state["pid"] or -1) > 0:
            # slurmstepd ends what a step leaves behind.
            with contextlib.suppress(ProcessLookupError):
                os.kill(state["pid"], signal.SIGKILL)
        os.unlink(f"{self.directory}/{self.job}.{self.step}.state")

    # In the task

    def enter(self):
        with self.shared() as state:
            if state["pid"] is None:
                if not state["exists"]:
                    self.create(state)
                state["pid"] = self.start(state)
            elif state["pid"] < 0:
                raise Failure("container was not started successfully by another task")
            environment = self.join(state)
            state["started"] += 1
            if state["started"] == self.tasks and not state["squashfuse"]:
                os.kill(state["pid"], signal.SIGCONT)
        return environment

    def create(self, state):
        state["pid"] = -1
        image = self.options.image
        uri = image if image.startswith(("docker://", "dockerd://")) else "docker://" + image
        if self.has_image_path:
            if not state["squashfuse"]:
                self.enroot.run("create", "--name", state["name"], image)
            state["image"] = image
        elif self.config.importer != "":
            self.create_from_importer(state, uri)
        elif self.config.use_enroot_load == "1" and not uri.startswith("dockerd://"):
            self.enroot.run("load", "--name", state["name"], uri)
        else:
            self.create_from_import(state, uri)

    def create_from_import(self, state, uri):
        path = f"{self.directory}/{self.job}.{self.step}.squashfs"
        try:
            self.enroot.run("import", "--output", path, uri)
            self.enroot.run("create", "--name", state["name"], path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def create_from_importer(self, state, uri):
        try:
            state["image"] = self.enroot.importer(self.config.importer, "get", uri)
            if state["squashfuse"]:
                return
            self.enroot.run("create", "--name", state["name"], state["image"])
        finally:
            if not state["squashfuse"]:
                self.enroot.importer(self.config.importer, "release")

    def start(self, state):
        descriptor, conf = tempfile.mkstemp(prefix=".enroot_config_", dir="/tmp")
        with open(descriptor, "w") as file:
            file.write(self.conf_script(attaches=state["attach"] is not None))
        target = state["image"] if state["squashfuse"] else state["name"]
        try:
            pid, log = self.enroot.spawn(
                ["enroot", "start", "--conf", conf, target, "sh", "-c", "kill -STOP $$ ; exit 0"])
            if not os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]):
                print_log(log, "enroot")
                raise Failure("container start failed")
            if self.runs_entrypoint() and self.options.entrypoint_log:
                print("\n".join(read_log(log)), file=sys.stderr, flush=True)
        finally:
            os.unlink(conf)
        return pid

    def runs_entrypoint(self):
        asked = self.options.entrypoint
        return self.config.execute_entrypoint == "1" if asked is None else asked

    def conf_script(self, attaches):
        lines = []
        if self.mounts and not attaches:
            lines += ["mounts() {", *map(mount_line, self.mounts), "}"]
        if not self.runs_entrypoint():
            lines += ["hooks() {", "\techo 'exec \"$@\"' > ${ENROOT_ROOTFS}/etc/rc.local", "}"]
        if self.options.env:
            lines += ["environ() {"]
            lines += [f'\t[ -n "${{{name}-}}" ] && echo "{name}=${{{name}}}" || :' for name in self.options.env.split(",")]
            lines += ["}"]
        return "".join(line + "\n" for line in lines)

    def join(self, state):
        """Enters the container and returns the command's environment."""
        own = state["pid"]
        spaces = {name: self.open_namespace(state["attach"] or own, name) for name in NAMESPACES}
        directory = os.readlink(f"/proc/{own}/cwd")
        environment = self.task_environment(own)
        for name, descriptor in spaces.items():
            if descriptor is not None and LIBC.setns(descriptor, 0) != 0:
                raise Failure(f"couldn't join {name} namespace: {os.strerror(ctypes.get_errno())}")
        os.chdir(self.options.workdir or directory)
        return environment

    def open_namespace(self, pid, name):
        path, own = f"/proc/{pid}/ns/{name}", f"/proc/self/ns/{name}"
        if os.readlink(path) != os.readlink(own):
            return os.open(path, os.O_RDONLY)
        if name in (self.options.unshare or "").split(","):
            raise Failure(f"--container-unshare={name} requested but the container is not in a separate namespace")
        return None

    def task_environment(self, pid):
        kept = (self.options.env or "").split(",")
        result = {name: value for name, value in ENVIRONMENT.items()
                  if name in kept or name not in ("LANG", "LANGUAGE", "LC_ALL")}
        with open(f"/proc/{pid}/environ") as file:
            for line in file.read().split("\0"):
                name, equals, value = line.partition("=")
                if equals and not (name in kept and name in result):
                    result[name] = value
        return result


def mount_line(mount):
    source, target, flags = mount
    default = {"tmpfs": "x-create=dir", "umount": "x-detach"}.get(source, "x-create=auto,rbind")
    fields = [field.replace("\\", "\\134").replace(" ", "\\040") for field in (source, target)]
    return '\techo "' + " ".join([*fields, ",".join(filter(None, [default, flags]))]) + '"'


def run_task(step):
    signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
    signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    error = None
    with step.shared() as state:
        try:
            step.prepare(state)
        except Failure as failure:
            # pyxis can report an error of its beginning only from the task.
            error = failure
    pid = os.fork()
    if pid == 0:
        become_command(step, error)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with step.shared() as state:
        state["completed"] += 1
        last = state["completed"] == step.tasks
    if last:
        try:
            step.clean_up(state)
        except Failure as failure:
            say(f"error: {failure}")
            status = status or 1
    sys.exit(status if status >= 0 else 128 - status)


def become_command(step, error):
    step.enroot = step.task_enroot
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
    try:
        if error is not None:
            raise error
        environment = step.enter()
        os.environ["PATH"] = environment.get("PATH", PATH)
        os.execvpe(step.options.command[0], step.options.command, environment)
    except (Failure, OSError) as failure:
        say(f"error: {failure}")
    os._exit(1)


def epilog():
    """As root, with the variables of Slurm's epilog."""
    if read_config().container_scope != "job":
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    os.setgroups([])
    user = int(ENVIRONMENT["SLURM_JOB_UID"])
    group = int(ENVIRONMENT.get("SLURM_JOB_GID", user))
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    # Python itself sets the last one.
    dropped = ["HOME", "USER", "LOGNAME", "LC_CTYPE"]
    kept = {name: value for name, value in ENVIRONMENT.items() if name not in dropped}
    enroot = Enroot({**kept, "PATH": "/usr/local/bin:/usr/bin:/bin"})
    for name in enroot.run("list"):
        if name.startswith(f"pyxis_{ENVIRONMENT['SLURM_JOB_ID']}_"):
            enroot.run("remove", "-f", name)


if __name__ == "__main__":
    if sys.argv[1:] == ["--epilog"]:
        epilog()
    else:
        run_task(Step(read_config(), parse_options(sys.argv[1:])))
