/** An inspected image as JSON: the fields of `skopeo inspect`, then denroot's own in that style. */

import { type ImageInspection, parseReference, type Reference } from "../../../mod.ts";
import { familiarHost } from "../../reference/docker_hub.ts";

export function inspectionJson(image: ImageInspection): Readonly<Record<string, unknown>> {
  return { ...skopeoFields(image), ...ownFields(image) };
}

/** skopeo's fields. Unlike skopeo's, an empty list or object is not null. */
function skopeoFields({ uri, documents, config, layers, tags }: ImageInspection) {
  return {
    Name: repositoryName(parseReference(uri)),
    Digest: documents[0]!.digest,
    RepoTags: tags,
    Created: config.created ?? null,
    DockerVersion: config.dockerVersion ?? "",
    Labels: config.labels,
    Architecture: config.architecture ?? "",
    Os: config.os ?? "",
    Layers: layers.map(({ descriptor }) => descriptor.digest),
    LayersData: layers.map(({ descriptor, diffId, origin }) => ({
      MIMEType: descriptor.mediaType,
      Digest: descriptor.digest,
      Size: descriptor.size,
      Annotations: descriptor.annotations ?? null,
      DiffID: diffId,
      Place: origin,
    })),
    Env: config.env,
  };
}

function ownFields({ uri, digest, documents, offers, config, steps, sizes }: ImageInspection) {
  return {
    Uri: uri,
    ManifestDigest: digest,
    MediaType: documents[0]!.mediaType,
    Variant: config.variant,
    Platforms: offers.map(({ platform, digest }) => ({
      Os: platform.os,
      Architecture: platform.architecture,
      Variant: platform.variant,
      Digest: digest,
    })),
    Author: config.author,
    Config: {
      User: config.user ?? "",
      ExposedPorts: config.exposedPorts,
      Entrypoint: config.entrypoint,
      Cmd: config.cmd,
      Volumes: config.volumes,
      WorkingDir: config.workingDir,
      StopSignal: config.stopSignal,
    },
    History: steps.map((step) => ({
      Created: step.created,
      CreatedBy: step.createdBy,
      Author: step.author,
      Comment: step.comment,
      EmptyLayer: step.emptyLayer,
      Layer: step.layer,
    })),
    StoredBytes: sizes.stored,
    LocalBytes: sizes.local,
    CachedBytes: sizes.cached,
    DownloadBytes: sizes.missing,
    EstimatedImageBytes: sizes.estimatedImage,
  };
}

/** The name of a repository in Docker's form; undefined outside of registries. */
export function repositoryName(reference: Reference): string | undefined {
  if (reference.scheme !== "docker") return undefined;
  const { registry, repository } = reference;
  return `${familiarHost(registry)}/${repository}`;
}
