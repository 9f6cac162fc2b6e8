/** The file by which processes of containers are known. */

/** The file in a container's root that is locked while the container is prepared. */
export const LOCK_NAME = ".lock";

/**
 * What stands before the path of an image file in the place of `.lock`, where a container was started
 * from the file: there is no directory that could tell its name.
 */
export const IMAGE_MARKS = "/images";
