/** Whether a repository has a blob. */

import type { Descriptor } from "../../../types/image.ts";
import type { Writer } from "./writer.ts";

/** False too when the registry does not tell, or has the blob with another size. */
export async function hasBlob(
  { digest, size }: Descriptor,
  writer: Writer,
  signal: AbortSignal,
): Promise<boolean> {
  const response = await writer.send({
    method: "HEAD",
    target: `blobs/${digest}`,
    what: `Blob ${digest} in ${writer.name}`,
    accepted: [200, 404, 405],
  }, signal);
  const length = response.header("content-length");
  return response.status === 200 && (length === undefined || Number(length) === size);
}
