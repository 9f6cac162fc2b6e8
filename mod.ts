/** denroot as a library: the functions and types that its own commands use. */

export type { PackedImage } from "./lib/image/pack_image.ts";
export { importImage, type ImportOptions, type ImportResult } from "./lib/image/import_image.ts";
export { copyImage, type CopyOptions, type CopyResult } from "./lib/copy/copy_image.ts";
export type { ImageFormat, LayerCompression } from "./lib/copy/image_format.ts";
export type { BlobFate, CopiedBlob } from "./lib/copy/send_blobs.ts";
export { syncImages, type SyncOptions, type SyncResult } from "./lib/sync/sync_images.ts";
export type { ArchiveOptions } from "./lib/sync/archive/open_archive_places.ts";
export type { SyncedImage } from "./lib/sync/sync_image.ts";
export {
  verifyImage,
  type VerifyOptions,
  type VerifyProblem,
  type VerifyResult,
} from "./lib/copy/verify_image.ts";
export {
  listManifests,
  type ManifestDescription,
  type ManifestOptions,
} from "./lib/copy/list_manifests.ts";
export { deleteImage, type DeleteOptions, type DeletePlan } from "./lib/copy/delete_image.ts";
export type { Side } from "./lib/copy/sides.ts";
export type { SideOptions } from "./lib/copy/side_options.ts";
export { type SharedImage, shareImage, type ShareOptions } from "./lib/share/share_image.ts";
export {
  type ListedImage,
  type ShareContents,
  shareContents,
  type Work,
} from "./lib/share/share_contents.ts";
export type { GarbageResult, StoredImage } from "./lib/share/collect_garbage.ts";
export { pruneShare, type PruneShareOptions } from "./lib/share/prune_share.ts";
export { type ReleaseOptions, releaseStep } from "./lib/share/release_step.ts";
export {
  type DefinedImage,
  type DefinitionOptions,
  importDefinition,
} from "./lib/definition/import_definition.ts";
export type { Definition, DefinitionName } from "./lib/definition/parse_definition.ts";
export { readDefinition } from "./lib/definition/read_definition.ts";
export {
  type BlobOrigin,
  type HistoryStep,
  type ImageInspection,
  type ImageSizes,
  type InspectedLayer,
  inspectImage,
  type PlatformOffer,
} from "./lib/image/inspect_image.ts";
export type { HistoryEntry, ImageDetails } from "./lib/oci/parse_details.ts";
export { listTags, type TagList } from "./lib/image/list_tags.ts";
export {
  listRepositories,
  namesRegistry,
  type RepositoryList,
} from "./lib/image/list_repositories.ts";
export {
  type DescribedTag,
  describeTags,
  type FailedTag,
  type TagDescription,
} from "./lib/image/describe_tags.ts";
export { type ResolvedDigest, resolveDigest } from "./lib/image/resolve_digest.ts";
export type { ImageOptions } from "./lib/image/image_options.ts";
export {
  containerNames,
  type ContainerPlace,
  findContainer,
} from "./lib/container/container_name.ts";
export {
  createContainer,
  type CreatedContainer,
  type CreateOptions,
} from "./lib/container/create_container.ts";
export {
  exportContainer,
  type ExportedContainer,
  type ExportOptions,
} from "./lib/container/export_container.ts";
export {
  listContainers,
  type ListedContainer,
  type ListOptions,
} from "./lib/container/list_containers.ts";
export {
  loadContainer,
  type LoadedContainer,
  type LoadOptions,
} from "./lib/container/load_container.ts";
export {
  type ContainerProcess,
  type ProcessExit,
  type ProcessOptions,
} from "./lib/container/child/container_process.ts";
export {
  execInContainer,
  type ExecInContainerOptions,
} from "./lib/container/child/exec_in_container.ts";
export {
  startContainer,
  type StartContainerOptions,
} from "./lib/container/child/start_container.ts";
export { runImage, type RunOptions } from "./lib/definition/run_image.ts";
export type { Stream } from "./lib/system/process/spawn_self.ts";
export { type ListedHook, listHooks } from "./lib/container/hooks/list_hooks.ts";
export type { ProcessFacts } from "./lib/container/process_facts.ts";
export { removeContainer, type RemoveOptions } from "./lib/container/remove_container.ts";
export { examineMachine, type ExamineOptions } from "./lib/doctor/examine_machine.ts";
export type { Finding, FindingStatus } from "./lib/doctor/finding.ts";
export type { Trial } from "./lib/container/trial/try_container.ts";
export type { MountTrial } from "./lib/container/trial/try_mounts.ts";
export type { FileSystem, Machine } from "./lib/doctor/machine.ts";
export type { SystemFiles } from "./lib/system/host/system_files.ts";
export {
  findMksquashfs,
  type FindOptions,
  findUnsquashfs,
  type Mksquashfs,
  type SquashfsTool,
  type ToolName,
  type ToolSettings,
} from "./lib/tools/find_tools.ts";
export type { RunnableProgram, RunPlace, RunPlaceSettings } from "./lib/tools/run_places.ts";
export { type Component, components, licenceTexts } from "./lib/tools/components.ts";
export {
  type Amount,
  amountOfFiles,
  type CacheContents,
  cacheContents,
  type CachedFile,
} from "./lib/store/cache_contents.ts";
export { pruneCache, type PruneOptions, type PruneResult } from "./lib/store/prune_cache.ts";
export { becomeMember, type ExecOptions } from "./lib/container/exec/become_member.ts";
export { becomeContainer, type BecomeSettings } from "./lib/container/start/become_container.ts";
export { scriptSettings } from "./lib/container/start/script_settings.ts";
export { type InheritedState, inheritedState } from "./lib/container/start/inherited_state.ts";
export { type StartOptions, startRequest } from "./lib/container/start/start_request.ts";
export {
  type DefinedStart,
  findRunnable,
  type Runnable,
  runnableDefinition,
  withDefined,
} from "./lib/definition/find_runnable.ts";
export { keepImage, type KeepOptions, type KeptImage } from "./lib/image/keep_image.ts";
export type { FileLimit } from "./lib/system/linux/execute.ts";
export { parseReference } from "./lib/reference/parse_reference.ts";
export { formatReference } from "./lib/reference/format_reference.ts";
export { defaultOutputName } from "./lib/reference/output_name.ts";
export { loadSettings, type Settings } from "./lib/config/settings.ts";
export type { SettingLines } from "./lib/config/load_values.ts";
export type { SettingEntry } from "./lib/config/read_settings.ts";
export { DenrootError, type ErrorCode } from "./lib/errors.ts";
export { VERSION as version } from "./lib/system/version.ts";
export type * from "./lib/types/container.ts";
export type * from "./lib/types/image.ts";
export type * from "./lib/types/progress.ts";
export type * from "./lib/types/reference.ts";
export type * from "./lib/types/source.ts";
