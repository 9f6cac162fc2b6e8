/** An inspected image as JSON: `skopeo inspect`'s fields, then denroot's own in the same style. */

import { type ImageInspection, parseReference } from "../../../mod.ts";
import { familiarHost } from "../../reference/docker_hub.ts";

export function inspectionJson(image: ImageInspection): Readonly<Record<string, unknown>> {
  return { ...skopeoFields(image), ...ownFields(image) };
}

/** As skopeo has them; a list or an object that is empty is that, and not null. */
function skopeoFields({ uri, documents, config, layers, tags }: ImageInspection) {
  return {
    Name: nameOf(uri),
    Digest: documents[0]!.digest,
    RepoTags: tags,
    Created: config.created ?? null,
    DockerVersion: config.dockerVersion ?? "",
    Labels: config.labels,
    Architecture: config.architecture ?? "",
    Os: config.os ?? "",
    Layers: layers.map(({ descriptor }) => descriptor.digest),
    LayersData: layers.map(({ descriptor, diffId, place }) => ({
      MIMEType: descriptor.mediaType,
      Digest: descriptor.digest,
      Size: descriptor.size,
      Annotations: descriptor.annotations ?? null,
      DiffID: diffId,
      Place: place,
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

/** The name of a repository, as Docker writes it; of what lies in a registry alone. */
export function nameOf(uri: string): string | undefined {
  const reference = parseReference(uri);
  if (reference.scheme !== "docker") return undefined;
  const { registry, repository } = reference;
  return `${familiarHost(registry)}/${repository}`;
}
