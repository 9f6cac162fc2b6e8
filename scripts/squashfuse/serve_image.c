/* Serves a squashfs image through a descriptor of /dev/fuse, which its caller mounts.
 *
 *   serve_image DESCRIPTOR UID GID IMAGE DIRECTORY
 *
 * It runs in a mount namespace of its own, and makes DIRECTORY an empty root there: the container's
 * root may look into this program, and must find nothing of the host in it but an image that cannot
 * be written to.
 *
 * All files belong to UID and GID. The program ends when the last mount namespace that has the
 * mount is gone: the kernel cuts the connection then. It ends with 1, after a message, when the image
 * cannot be read. */

#define _GNU_SOURCE
#define FUSE_USE_VERSION 32
#include <squashfuse/ll.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct fuse_lowlevel_ops operations = {
    .getattr = sqfs_ll_op_getattr,
    .opendir = sqfs_ll_op_opendir,
    .releasedir = sqfs_ll_op_releasedir,
    .readdir = sqfs_ll_op_readdir,
    .lookup = sqfs_ll_op_lookup,
    .open = sqfs_ll_op_open,
    .create = sqfs_ll_op_create,
    .release = sqfs_ll_op_release,
    .read = sqfs_ll_op_read,
    .readlink = sqfs_ll_op_readlink,
    .listxattr = sqfs_ll_op_listxattr,
    .getxattr = sqfs_ll_op_getxattr,
    .forget = sqfs_ll_op_forget,
    .statfs = stfs_ll_op_statfs,
};

#define SHOWN "/image"

/* Leaves a root with nothing in it but the image, which is mounted read-only. */
static int enter_empty_root(const char *image, const char *directory) {
    if (mount("none", directory, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=700") != 0 || chdir(directory) != 0) return -1;
    int file = creat("." SHOWN, 0400);
    if (file < 0 || close(file) != 0 || mount(image, "." SHOWN, NULL, MS_BIND, NULL) != 0) return -1;
    if (mount(NULL, "." SHOWN, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) return -1;
    /* An initial ramdisk is a root that cannot be moved. */
    if (syscall(SYS_pivot_root, ".", ".") == 0) {
        if (umount2(".", MNT_DETACH) != 0) return -1;
    } else if (mount(".", "/", NULL, MS_MOVE, NULL) != 0) {
        return -1;
    }
    return chroot(".") != 0 || chdir("/") != 0 ? -1 : 0;
}

/* The open file stays when its mount is taken away. */
static sqfs_ll *open_image(const char *image, const char *directory) {
    if (enter_empty_root(image, directory) != 0) {
        perror(image);
        return NULL;
    }
    sqfs_ll *opened = sqfs_ll_open(SHOWN, 0);
    /* By this lock others see that the image is in use. It counts for nothing where there are no locks. */
    if (opened) flock(opened->fs.fd, LOCK_SH | LOCK_NB);
    if (umount2(SHOWN, MNT_DETACH) == 0) return opened;
    perror(image);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "Usage: serve_image DESCRIPTOR UID GID IMAGE DIRECTORY\n");
        return 2;
    }
    /* A terminal's signals are for the container, whose end ends this program. */
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);

    sqfs_ll *image = open_image(argv[4], argv[5]);
    if (!image) return 1;
    image->fs.uid = (uid_t)strtoul(argv[2], NULL, 10);
    image->fs.gid = (gid_t)strtoul(argv[3], NULL, 10);

    char mounted[32];
    snprintf(mounted, sizeof mounted, "/dev/fd/%s", argv[1]);
    char *words[] = {argv[0], NULL};
    struct fuse_args arguments = FUSE_ARGS_INIT(1, words);
    struct fuse_session *session = fuse_session_new(&arguments, &operations, sizeof operations, image);
    if (!session || fuse_session_mount(session, mounted) != 0) return 1;
    int result = fuse_session_loop(session);
    fuse_session_destroy(session);
    sqfs_ll_destroy(image);
    return result == 0 ? 0 : 1;
}
