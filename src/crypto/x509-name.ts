/** Names in certificates as text (RFC 4514): for records, logs and policies, never for comparing. */
import { type DerElement, derFault, inside, oidText, TAG, wholeSequence } from "./der.ts";

const COMMON_NAME = "2.5.4.3";

const LABELS: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "street",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "0.9.2342.19200300.100.1.1": "UID",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "emailAddress",
};

/** `CN=payments,O=Example`: the most specific part first, as RFC 4514 section 2.1 says. */
export function nameText(name: DerElement): string {
  const parts: string[] = [];
  const sets = inside(name);
  while (!sets.done) {
    const attributes = inside(sets.next(TAG.set));
    const texts: string[] = [];
    while (!attributes.done) {
      const attribute = inside(attributes.next(TAG.sequence));
      const type = oidText(attribute.next(TAG.oid));
      texts.push(`${LABELS[type] ?? type}=${escaped(valueText(attribute.any()))}`);
      attribute.end();
    }
    if (texts.length === 0) throw derFault("a name with an empty part");
    parts.push(texts.join("+"));
  }
  return parts.toReversed().join(",");
}

/** The values of its common names as they are, unescaped, in their order in the name. */
export function commonNames(name: Buffer): string[] {
  const found: string[] = [];
  const sets = wholeSequence(name);
  while (!sets.done) {
    const attributes = inside(sets.next(TAG.set));
    while (!attributes.done) {
      const attribute = inside(attributes.next(TAG.sequence));
      const type = oidText(attribute.next(TAG.oid));
      if (type === COMMON_NAME) found.push(valueText(attribute.any()));
    }
  }
  return found;
}

function valueText({ tag, content, bytes }: DerElement): string {
  switch (tag) {
    case TAG.utf8String:
      return content.toString("utf8");
    case 0x12: // NumericString
    case 0x13: // PrintableString
    case 0x14: // TeletexString, which everybody reads as latin1
    case 0x16: // IA5String
      return content.toString("latin1");
    case 0x1e: // BMPString
      return Buffer.from(content).swap16().toString("utf16le");
    default:
      return `#${bytes.toString("hex")}`;
  }
}

/** What separates parts, and what would break a line of a log, is escaped (section 2.4). */
function escaped(value: string): string {
  let text = "";
  for (const char of value.replace(/[\\",+<>;=]/g, "\\$&").replace(/^[ #]| $/g, "\\$&")) {
    const code = char.charCodeAt(0);
    const control = code < 0x20 || code === 0x7f;
    text += control ? `\\${code.toString(16).padStart(2, "0")}` : char;
  }
  return text;
}
