/** Tells which extended attributes of a layer belong to the image. */

/**
 * The others belong to the machine that built or stored the image: labels and signatures of its
 * security modules, marks of its overlays and of podman. squashfs cannot hold access control lists
 * (`system.*`).
 */
const IMAGE_XATTRS = new RegExp(
  "^(?:security\\.capability$" +
    "|trusted\\.(?!overlay\\.)" +
    "|user\\.(?!overlay\\.|fuseoverlayfs\\.|containers\\.))",
);

export function isImageXattr(name: string): boolean {
  return IMAGE_XATTRS.test(name);
}
