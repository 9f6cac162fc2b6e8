"""Runs enroot and importers as pyxis does, and keeps their logs."""

import contextlib
import os
import signal
import sys


class Failure(Exception):
    pass


def say(text):
    print("pyxis: " + text, file=sys.stderr, flush=True)


class Enroot:
    """The programs that pyxis runs as the job's user."""

    def __init__(self, environment):
        self.environment = environment

    def spawn(self, argv, stdout=None, program="enroot"):
        """Returns the process and its log, which is also its standard output unless that is given."""
        log = os.memfd_create("enroot-log")
        pid = os.fork()
        if pid == 0:
            try:
                os.dup2(os.open("/dev/null", os.O_RDWR), 0)
                os.dup2(log if stdout is None else stdout, 1)
                os.dup2(log, 2)
                with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
                    file.write("0")
                os.closerange(3, 4096)
                # Python ignores these two; pyxis does not.
                for one in (signal.SIGPIPE, signal.SIGXFSZ):
                    signal.signal(one, signal.SIG_DFL)
                os.environ.clear()
                os.environ.update(self.environment)
                os.execvpe(program, argv, self.environment)
            finally:
                os._exit(1)
        return pid, log

    def run(self, *argv):
        pid, log = self.spawn(["enroot", *argv])
        finish(pid, log, "enroot")
        return read_log(log)

    def importer(self, path, *argv):
        reader, writer = os.pipe()
        pid, log = self.spawn([path, *argv], stdout=writer, program=path)
        os.close(writer)
        with open(reader) as file:
            lines = file.read().splitlines()
        finish(pid, log, "importer")
        return lines[0] if lines else ""


def finish(pid, log, name):
    """Waits; a SIGTERM that comes meanwhile is passed on."""
    previous = signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    signal.signal(signal.SIGTERM, previous)
    if status != 0:
        print_log(log, name)
        raise Failure(f"child {pid} failed with error code: {status}")


def read_log(log):
    return os.pread(log, 1 << 20, 0).decode().splitlines()


def print_log(log, name):
    say(f"printing {name} log file:")
    for line in read_log(log):
        say("    " + line)
