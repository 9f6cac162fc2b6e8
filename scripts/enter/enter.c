/* Does what a program with threads cannot: it enters namespaces, and goes on in a child.
 *
 *   enter STEP... run=FD ARGUMENT...
 *
 * The steps are done in order. They hold no policy; who writes them decides everything.
 *
 *   unshare=FLAGS      unshare(2), with the flags in hexadecimal
 *   join=FD            setns(2)
 *   write=PATH:TEXT    writes TEXT into a file that exists
 *   chdir=FD           fchdir(2)
 *   guard=FD:PATH      opens the program that is open as FD anew, through a mount of its own that is
 *                      read-only: what reaches the program through /proc/PID/exe cannot write to it
 *   hide               lets no process of a user namespace that is joined later look into this one
 *   ambient            raises all permitted capabilities to ambient ones, which survive execve
 *   fork               goes on in a child. The parent passes signals on, stops as the child stops,
 *                      and ends as the child ends
 *   init               makes the first process of a PID namespace, which adopts and buries orphans;
 *                      then does as `fork` does. The namespace ends with the child
 *   tend=PID           goes on in a child, and the parent ends as the child ends. PID is the parent's own
 *                      parent. When it ends first, or when the child fails, all that the child has started
 *                      ends too
 *   session            setsid(2)
 *   detach             goes on in a child, and the parent ends at once
 *   wait=FD            waits for a byte
 *   run=FD             runs the program that is open as FD
 *   exec=PATH          runs the program of this path; the first ARGUMENT is its name for lists of processes
 *   search=PATHS       runs the program that the first ARGUMENT names, looked up in PATHS
 *
 *   else=FD WORD... :  says what runs when a later step fails: the program that is open as FD, with
 *                      the words as its arguments, the step, and the number of the error
 *   say=TEXT           says what is printed in that case instead; the reason follows the text
 */

#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/statfs.h>
#include <asm/unistd.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/prctl.h>
#include <linux/wait.h>

typedef unsigned long word;

#if defined(__x86_64__)
static long call(long number, word a, word b, word c, word d, word e) {
    long result;
    register word fourth __asm__("r10") = d;
    register word fifth __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                     : "rcx", "r11", "memory");
    return result;
}
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");
#elif defined(__aarch64__)
static long call(long number, word a, word b, word c, word d, word e) {
    register word eighth __asm__("x8") = number;
    register word first __asm__("x0") = a;
    register word second __asm__("x1") = b;
    register word third __asm__("x2") = c;
    register word fourth __asm__("x3") = d;
    register word fifth __asm__("x4") = e;
    __asm__ volatile("svc 0"
                     : "+r"(first)
                     : "r"(eighth), "r"(second), "r"(third), "r"(fourth), "r"(fifth)
                     : "memory");
    return first;
}
__asm__(".globl _start\n_start: mov x29, #0\n mov x0, sp\n bl begin\n");
#else
#error "no system calls for this processor"
#endif

#define FIRST_OF_SIX(a, b, c, d, e, f, ...) call(__NR_##a, (word)(b), (word)(c), (word)(d), (word)(e), (word)(f))
/* System calls by name, with up to five arguments. */
#define CALL(...) FIRST_OF_SIX(__VA_ARGS__, 0, 0, 0, 0, 0, 0)

#define SIGNAL_SET sizeof(word)
enum { AF_UNIX = 1, SOCK_STREAM = 1 };
static const word every_signal = ~0ul;

/* ---- Text */

static word length(const char *text) {
    word count = 0;
    while (text[count]) count++;
    return count;
}

/* What follows PREFIX in TEXT; nothing when TEXT begins in another way. */
static char *after(char *text, const char *prefix) {
    while (*prefix)
        if (*text++ != *prefix++) return 0;
    return text;
}

static int equal(char *text, const char *other) {
    char *rest = after(text, other);
    return rest && !*rest;
}

static word number(const char *text, word base) {
    word value = 0;
    for (; *text && *text != ':'; text++) value = value * base + (*text <= '9' ? *text - '0' : *text - 'a' + 10);
    return value;
}

static char *decimal(word value, char *end) {
    *--end = 0;
    do *--end = '0' + value % 10;
    while (value /= 10);
    return end;
}

static void print(const char *text) { CALL(write, 2, text, length(text)); }

/* ---- Steps */

static long write_file(char *text) {
    char *value = text;
    while (*value && *value != ':') value++;
    if (!*value) return -EINVAL;
    *value = 0;
    long file = CALL(openat, AT_FDCWD, text, O_WRONLY | O_CLOEXEC);
    *value++ = ':';
    if (file < 0) return file;
    long count = CALL(write, file, value, length(value));
    CALL(close, file);
    return count;
}

/* Where the path leads to nothing, or is closed to the new user, the program stays as it is: a start
 * must not fail of that. In a user namespace a remount has to keep flags, but those of times stay by
 * themselves. */
static long guard(char *text) {
    static char link[64] = "/proc/self/fd/";
    const word file = number(text, 10);
    char digits[24], *digit = decimal(file, digits + sizeof digits);
    struct statfs status;
    char *path = text;
    while (*path && *path++ != ':') {}
    for (char *at = link + length(link); (*at++ = *digit++);) {}
    long result = CALL(mount, path, path, "none", MS_BIND);
    if (result == -ENOENT || result == -EACCES) return 0;
    if (result < 0) return result;
    long again = CALL(openat, AT_FDCWD, path, O_RDONLY);
    if (again < 0) return again;
    CALL(dup3, again, file, 0);
    CALL(close, again);
    result = CALL(fstatfs, file, &status);
    if (result < 0) return result;
    word kept = status.f_flags & (MS_NOSUID | MS_NODEV | MS_NOEXEC);
    return CALL(mount, "none", link, "none", MS_BIND | MS_REMOUNT | MS_RDONLY | kept);
}

static long raise_ambient(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2];
    long result = CALL(capget, &header, sets);
    if (result < 0) return result;
    sets[0].inheritable = sets[0].permitted;
    sets[1].inheritable = sets[1].permitted;
    result = CALL(capset, &header, sets);
    for (word n = 0; n < 64 && result >= 0; n++)
        if (sets[n / 32].permitted >> n % 32 & 1) result = CALL(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, n);
    return result;
}

static long set_action(int signal, const word action[4], word old[4]) {
    return CALL(rt_sigaction, signal, action, old, SIGNAL_SET);
}

static void become_default(int signal) {
    const word action[4] = {0, 0, 0, 0};
    set_action(signal, action, 0);
}

/* A process that only waits must keep neither a pipe open nor a directory of the host. Others may look
 * into it only where `visible` says so: the one that stands for a container is what others list, and join. */
static void withdraw(int visible) {
    CALL(chdir, "/");
    if (CALL(close_range, 0, ~0u) < 0)
        for (word file = 0; file < 1024; file++) CALL(close, file);
    CALL(prctl, PR_SET_DUMPABLE, visible);
}

static void die_of(int signal) {
    const word set = 1ul << (signal - 1);
    /* The child has left a core file if it was to leave one. */
    CALL(prctl, PR_SET_DUMPABLE, 0);
    become_default(signal);
    CALL(kill, CALL(getpid), signal);
    CALL(rt_sigprocmask, SIG_UNBLOCK, &set, 0, SIGNAL_SET);
    CALL(exit_group, 128 + signal);
}

/* The life of a parent. All signals are blocked, and so they wait here for their turn. */
static void follow(long child, int visible) {
    siginfo_t signal, end;
    withdraw(visible);
    for (;;) {
        if (CALL(rt_sigtimedwait, &every_signal, &signal, 0, SIGNAL_SET) < 0) continue;
        if (signal.si_signo != SIGCHLD) {
            /* The child gets the terminal's signals without help: those that the kernel sent. */
            if (signal.si_code <= 0) CALL(kill, child, signal.si_signo);
            continue;
        }
        end.si_pid = 0;
        if (CALL(waitid, P_PID, child, &end, WEXITED | WSTOPPED | WNOHANG) < 0 || end.si_pid == 0) continue;
        if (end.si_code == CLD_EXITED) CALL(exit_group, end.si_status);
        if (end.si_code != CLD_STOPPED) die_of(end.si_status);
        CALL(kill, CALL(getpid), SIGSTOP);
        CALL(kill, child, SIGCONT);
    }
}

/* The life of a namespace's first process. */
static void bury_orphans(void) {
    withdraw(0);
    for (;;) {
        siginfo_t signal;
        CALL(rt_sigtimedwait, &every_signal, &signal, 0, SIGNAL_SET);
        while (CALL(wait4, -1, 0, WNOHANG, 0) > 0) {}
    }
}

/* A parent that is killed takes its child along, at whatever moment: the child goes on only when the
 * parent has answered after the child had asked for its end. */
static long clone_child(void) {
    int pair[2];
    char byte = 0;
    long result = CALL(socketpair, AF_UNIX, SOCK_STREAM, 0, pair);
    if (result < 0) return result;
    long child = CALL(clone, SIGCHLD);
    if (child == 0) {
        CALL(close, pair[0]);
        CALL(prctl, PR_SET_PDEATHSIG, SIGKILL);
        CALL(write, pair[1], &byte, 1);
        if (CALL(read, pair[1], &byte, 1) != 1) CALL(exit_group, 1);
    } else {
        CALL(close, pair[1]);
        if (child > 0 && CALL(read, pair[0], &byte, 1) == 1) CALL(write, pair[0], &byte, 1);
    }
    CALL(close, pair[child == 0]);
    return child;
}

/* Whether /proc counts processes as this one does: a PID namespace may have no /proc of its own. */
static int counts_alike(void) {
    static char self[24];
    long size = CALL(readlinkat, AT_FDCWD, "/proc/self", self, sizeof self - 1);
    return size > 0 && number(self, 10) == (word)CALL(getpid);
}

/* Kills the process that /proc knows by this number. Where kill(2) would reach another one, the directory
 * stands for it, since Linux 5.1. */
static long kill_known(word process, int is_alike) {
    static char path[32] = "/proc/";
    char digits[24], *digit = decimal(process, digits + sizeof digits);
    if (is_alike) return CALL(kill, process, SIGKILL);
    for (char *at = path + length("/proc/"); (*at++ = *digit++);) {}
    long directory = CALL(openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return directory;
    long result = CALL(pidfd_send_signal, directory, SIGKILL, 0, 0);
    CALL(close, directory);
    return result;
}

/* Kills the children of this process, and gives whether one could be killed. The list may be longer than
 * what is read of it: those that are left come with the next call. */
static int kill_children(void) {
    static char list[4096];
    long file = CALL(openat, AT_FDCWD, "/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    long count = file < 0 ? file : CALL(read, file, list, sizeof list);
    if (file >= 0) CALL(close, file);
    const int is_alike = counts_alike();
    int is_killed = 0;
    word child = 0;
    for (long n = 0; n < count; n++) {
        if (list[n] != ' ') {
            child = child * 10 + list[n] - '0';
            continue;
        }
        if (child > 0 && kill_known(child, is_alike) >= 0) is_killed = 1;
        child = 0;
    }
    return is_killed;
}

static void end_family(void) {
    while (kill_children() && CALL(wait4, -1, 0, 0, 0) > 0) {}
}

/* The life of the one who tends: orphans below it become its own children, so nothing gets away. What a
 * child leaves behind that has done its work well is meant to stay. */
static void tend(long child, word parent) {
    siginfo_t signal, end;
    withdraw(1);
    while ((word)CALL(getppid) == parent) {
        if (CALL(rt_sigtimedwait, &every_signal, &signal, 0, SIGNAL_SET) < 0) continue;
        if (signal.si_signo != SIGCHLD && signal.si_code <= 0) CALL(kill, child, signal.si_signo);
        do {
            end.si_pid = 0;
            if (CALL(waitid, P_ALL, 0, &end, WEXITED | WNOHANG) < 0) end.si_pid = 0;
            if (end.si_pid != child) continue;
            if (end.si_status != 0) end_family();
            if (end.si_code == CLD_EXITED) CALL(exit_group, end.si_status);
            die_of(end.si_status);
        } while (end.si_pid != 0);
    }
    CALL(kill, child, SIGKILL);
    end_family();
    CALL(exit_group, 1);
}

enum life { FORK, INIT, TEND };

static long go_on_in_child(enum life life, word parent) {
    word old_mask, old_action[4];
    const word default_action[4] = {0, 0, 0, 0};
    /* Nobody could wait for a child while this signal is ignored. */
    set_action(SIGCHLD, default_action, old_action);
    CALL(rt_sigprocmask, SIG_SETMASK, &every_signal, &old_mask, SIGNAL_SET);
    long child = life == INIT ? clone_child() : 1;
    if (child == 0) bury_orphans();
    if (child > 0 && life == TEND) {
        /* The parent's end wakes this process as a child's does, and orphans become its children. */
        CALL(prctl, PR_SET_CHILD_SUBREAPER, 1);
        CALL(prctl, PR_SET_PDEATHSIG, SIGCHLD);
    }
    if (child > 0) child = clone_child();
    if (child > 0 && life == TEND) tend(child, parent);
    if (child > 0) follow(child, life == INIT);
    CALL(rt_sigprocmask, SIG_SETMASK, &old_mask, 0, SIGNAL_SET);
    set_action(SIGCHLD, old_action, 0);
    return child;
}

static long detach(void) {
    long child = CALL(clone, SIGCHLD);
    if (child > 0) CALL(exit_group, 0);
    return child;
}

static long wait_for_byte(word file) {
    char byte;
    long count;
    do count = CALL(read, file, &byte, 1);
    while (count == -EINTR);
    return count == 0 ? -EPIPE : count;
}

/* As execvp(3): what no kernel can run is a shell's script. */
static long run_named(char *path, char **argv, char **envp) {
    long result = CALL(execve, path, argv, envp);
    if (result != -ENOEXEC) return result;
    word count = 0;
    while (argv[count]) count++;
    char *words[count + 2];
    words[0] = "sh";
    words[1] = path;
    for (word n = 1; n <= count; n++) words[n + 1] = argv[n];
    return CALL(execve, "/bin/sh", words, envp);
}

static long search(char *paths, char **argv, char **envp) {
    static char path[8192];
    long result = -ENOENT;
    if (!argv[0] || !*argv[0]) return result;
    for (char *at = argv[0]; *at; at++)
        if (*at == '/') return run_named(argv[0], argv, envp);
    word name = length(argv[0]);
    for (int more = 1; more;) {
        word at = 0;
        char *part = paths;
        while (*paths && *paths != ':') paths++;
        word size = paths - part;
        more = *paths++ == ':';
        if (size + name + 2 > sizeof path) continue;
        /* An empty part is the current directory. */
        if (size == 0) path[at++] = '.';
        while (part < paths - 1) path[at++] = *part++;
        path[at++] = '/';
        for (word n = 0; n <= name; n++) path[at + n] = argv[0][n];
        long error = run_named(path, argv, envp);
        if (error == -ENOENT || error == -ENOTDIR) continue;
        if (error != -EACCES) return error;
        result = error;
    }
    return result;
}

/* Closes a descriptor that has done its work. */
static long spent(long result, const char *file) {
    CALL(close, number(file, 10));
    return result;
}

static long step(char *text, char **rest, char **envp) {
    char *value;
    if ((value = after(text, "unshare="))) return CALL(unshare, number(value, 16));
    if ((value = after(text, "join="))) return spent(CALL(setns, number(value, 10), 0), value);
    if ((value = after(text, "write="))) return write_file(value);
    if ((value = after(text, "chdir="))) return spent(CALL(fchdir, number(value, 10)), value);
    if ((value = after(text, "guard="))) return guard(value);
    if (equal(text, "hide")) return CALL(prctl, PR_SET_DUMPABLE, 0);
    if (equal(text, "ambient")) return raise_ambient();
    if (equal(text, "fork")) return go_on_in_child(FORK, 0);
    if (equal(text, "init")) return go_on_in_child(INIT, 0);
    if ((value = after(text, "tend="))) return go_on_in_child(TEND, number(value, 10));
    if (equal(text, "session")) return CALL(setsid);
    if (equal(text, "detach")) return detach();
    if ((value = after(text, "wait="))) return wait_for_byte(number(value, 10));
    if ((value = after(text, "run="))) return CALL(execveat, number(value, 10), "", rest, envp, AT_EMPTY_PATH);
    if ((value = after(text, "exec="))) return run_named(value, rest, envp);
    if ((value = after(text, "search="))) return search(value, rest, envp);
    return -EINVAL;
}

/* ---- Failures */

static const char *reason(long error, char *end) {
    switch (error) {
    case ENOENT: return "it is not there";
    case EACCES: return "permission denied";
    case EPERM: return "operation not permitted";
    case ENOEXEC: return "this machine cannot run it";
    case ENOMEM: return "out of memory";
    default: return decimal(error, end);
    }
}

/* Runs the program of `else=FD WORD... :`, which begins at WORDS. */
static void run_other(char **words, char *failed, char *error, char **envp) {
    word count = 1;
    while (words[count] && !equal(words[count], ":")) count++;
    char *argv[count + 2];
    for (word n = 1; n < count; n++) argv[n - 1] = words[n];
    argv[count - 1] = failed;
    argv[count] = error;
    argv[count + 1] = 0;
    CALL(execveat, number(words[0] + length("else="), 10), "", argv, envp, AT_EMPTY_PATH);
}

__attribute__((used)) void begin(word *stack) {
    char **argv = (char **)(stack + 1), **envp = argv + stack[0] + 1;
    char **other = 0, *text = 0, digits[24];
    for (char **at = argv + 1; *at; at++) {
        if (after(*at, "else=")) {
            other = at;
            while (*at && !equal(*at, ":")) at++;
            if (!*at) break;
            continue;
        }
        char *value = after(*at, "say=");
        if (value) {
            other = 0;
            text = value;
            continue;
        }
        long result = step(*at, at + 1, envp);
        if (result >= 0) continue;
        char *end = digits + sizeof digits;
        if (other) run_other(other, *at, decimal(-result, end), envp);
        print(text ? text : *at);
        print(": ");
        print(reason(-result, end));
        print("\n");
        break;
    }
    CALL(exit_group, 1);
    __builtin_unreachable();
}
