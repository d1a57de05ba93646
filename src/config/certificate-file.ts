/** A file of authorities in PEM that a configuration names. */
import { pemLabels } from "../crypto/pem.ts";
import { readFileBytes } from "../platform/files.ts";

/** Why it cannot be used; undefined where it can. */
export function certificateFileFault(file: string): string | undefined {
  try {
    const labels = pemLabels(readFileBytes(file).toString("latin1"));
    return labels.includes("CERTIFICATE") ? undefined : "it holds no certificate";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unreadable";
  }
}
