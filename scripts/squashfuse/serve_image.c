/* Serves a squashfs image through a descriptor of /dev/fuse, which its caller mounts.
 *
 *   serve_image DESCRIPTOR UID GID IMAGE
 *
 * All files belong to UID and GID. The program ends when the last mount namespace that has the
 * mount is gone: the kernel cuts the connection then. It ends with 1, after a message, when the image
 * cannot be read. */

#define FUSE_USE_VERSION 32
#include <squashfuse/ll.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

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

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "Usage: serve_image DESCRIPTOR UID GID IMAGE\n");
        return 2;
    }
    /* A terminal's signals are for the container, whose end ends this program. */
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);

    sqfs_ll *image = sqfs_ll_open(argv[4], 0);
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
