/**
 * The npm package `hpack.js`, which others wrote and other servers used: a second opinion on what a
 * block means. It has no types, and speaks through streams; here it is two functions of a connection.
 */
import { createRequire } from "node:module";

interface Field {
  readonly name: string;
  readonly value: string;
}

interface Decompressor {
  on(event: "error", listener: (error: Error) => void): void;
  write(block: Buffer): void;
  execute(): void;
  read(): Field | null;
  updateTableSize(bytes: number): void;
}

export interface SecondField extends Field {
  readonly incremental: boolean;
  readonly neverIndex: boolean;
  readonly huffman: boolean;
}

interface Compressor {
  write(fields: readonly SecondField[]): void;
  read(): Buffer | null;
}

interface HpackJs {
  readonly decompressor: { create(options: { table: { maxSize: number } }): Decompressor };
  readonly compressor: { create(options: { table: { maxSize: number } }): Compressor };
}

const hpack = createRequire(import.meta.url)("hpack.js") as HpackJs;

export class SecondDecoder {
  readonly #decompressor: Decompressor;
  #error: Error | undefined;

  constructor(maxTableBytes: number) {
    this.#decompressor = hpack.decompressor.create({ table: { maxSize: maxTableBytes } });
    this.#decompressor.on("error", (error) => (this.#error = error));
    // Its tables are as large as allowed from the start; RFC 7541 has 4096 in force.
    this.#decompressor.updateTableSize(Math.min(4096, maxTableBytes));
  }

  /** The fields, as a flat list; undefined where it refuses the block. */
  decode(block: Buffer): string[] | undefined {
    this.#decompressor.write(block);
    this.#decompressor.execute();
    const fields: string[] = [];
    for (let field = this.#decompressor.read(); field !== null; field = this.#decompressor.read()) {
      fields.push(field.name, field.value);
    }
    return this.#error === undefined ? fields : undefined;
  }
}

export class SecondEncoder {
  readonly #compressor = hpack.compressor.create({ table: { maxSize: 4096 } });

  /** How each field is to be written comes with it. */
  encode(fields: readonly SecondField[]): Buffer {
    this.#compressor.write(fields);
    const parts: Buffer[] = [];
    for (let part = this.#compressor.read(); part !== null; part = this.#compressor.read()) {
      parts.push(part);
    }
    return Buffer.concat(parts);
  }
}
