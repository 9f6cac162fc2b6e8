/** Recognises artifacts that are not container images, and says what they are. */

import { plainText, quoteText } from "../text/quote_text.ts";

/**
 * Says what the artifact is ("a Helm chart") when a manifest's types show that it is not an image;
 * gives undefined when it may be an image. Unknown layer types do not count: some images in
 * registries have wrong ones, and the bytes of their layers are what matters.
 */
export function describeArtifact(types: {
  readonly artifactType?: string;
  readonly configType: string;
  readonly layerTypes: readonly string[];
  readonly isConfigType: boolean;
}): string | undefined {
  const { artifactType, configType, layerTypes } = types;
  for (const type of [artifactType, configType, ...layerTypes.slice(0, 100)]) {
    const kind = KINDS.find(([pattern]) => pattern.test(type ?? ""))?.[1];
    if (kind !== undefined) return kind;
  }
  if (types.isConfigType) return undefined;
  if (artifactType !== undefined && artifactType !== "") {
    return `an artifact of type ${quoteText(artifactType)}`;
  }
  return configType === "" || configType === EMPTY
    ? `an artifact${layerTypes[0] ? ` with ${plainText(layerTypes[0])} inside` : ""}`
    : `an artifact of type ${quoteText(configType)}`;
}

const EMPTY = "application/vnd.oci.empty.v1+json";

const KINDS: readonly (readonly [RegExp, string])[] = [
  [/^application\/vnd\.cncf\.helm\./, "a Helm chart"],
  [/^application\/vnd\.dev\.(?:cosign|sigstore)\./, "a signature (cosign)"],
  [/^application\/vnd\.cncf\.notary\./, "a signature (Notary)"],
  [/^application\/vnd\.in-toto/, "an attestation (in-toto)"],
  [/^application\/vnd\.ollama\./, "a model (Ollama)"],
  [/^application\/vnd\.(?:docker\.ai|cncf\.model|cnai\.model|kitops|kubeflow\.model)/, "a model"],
  [/^application\/vnd\.sylabs\.sif\./, "a Singularity image (SIF)"],
  [/^application\/vnd\.(?:wasm|bytecodealliance\.wasm|module\.wasm)/, "a WebAssembly module"],
  [/^application\/wasm$/, "a WebAssembly module"],
  [/^application\/vnd\.cncf\.flux\./, "a Flux artifact"],
  [/^application\/vnd\.cncf\.openpolicyagent\./, "an Open Policy Agent bundle"],
  [/^application\/vnd\.docker\.plugin\./, "a Docker plugin"],
  [/^application\/vnd\.buildkit\.cacheconfig\./, "a BuildKit cache"],
  [/^application\/(?:spdx|vnd\.cyclonedx|vnd\.syft)\b/, "a bill of materials (SBOM)"],
];
