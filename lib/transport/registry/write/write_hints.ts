/** What to do about a registry's refusals to take something, by error code or status. */

export const WRITE_HINTS: Readonly<Record<string, string>> = {
  MANIFEST_BLOB_UNKNOWN: "The registry takes a manifest or an index only with everything that it " +
    "names: copy all platforms, or make a new index of some",
  MANIFEST_UNKNOWN: "The registry takes an index only with everything that it names: copy all " +
    "platforms, or make a new index of some",
  DIGEST_INVALID: "The registry may know no other algorithm than sha256, or a proxy " +
    "changes what is sent",
  BLOB_UNKNOWN: "The registry has lost a blob since it was sent: copy the image again",
  NAME_UNKNOWN: "Make the repository first: some registries (Amazon's ECR is one) do not do so " +
    "by themselves",
  NAME_INVALID: "Check the name: Docker Hub takes names of two parts, as USER/IMAGE",
  TAG_INVALID: "The registry may not allow that a tag changes: use another tag",
  DENIED: "Check that the account may write to this repository, and that its quota has room left",
  UNAUTHORIZED: "Log in with an account that may write to this repository",
  UNSUPPORTED: "The registry's administrator can tell what it allows",
  SIZE_INVALID: "The registry, or a proxy before it, limits the size: ask its administrator",
  401: "Log in with an account that may write to this repository",
  403: "Check that the account may write to this repository, and that its quota has room left",
  404: "Check the names of registry and repository: some registries (Amazon's ECR is one) have " +
    "to be told first that there is such a repository",
  405: "The registry's administrator can tell what it allows",
  412: "The registry may not allow that a tag changes: use another tag",
  413: "The registry, or a proxy before it, limits the size: ask its administrator",
};
