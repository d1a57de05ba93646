/** PEM text → the DER of its blocks (RFC 7468). What is not between the marks is ignored, as everybody does. */

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]*)-----END \1-----/g;

/** The blocks with this label, in order. */
export function pemBlocks(text: string, label: string): Buffer[] {
  return [...text.matchAll(BLOCK)]
    .filter((match) => match[1] === label)
    .map((match) => Buffer.from(match[2] ?? "", "base64"));
}

/** Labels of all blocks, in order: to say what a file holds where it holds the wrong thing. */
export function pemLabels(text: string): string[] {
  return [...text.matchAll(BLOCK)].map((match) => match[1] ?? "");
}
