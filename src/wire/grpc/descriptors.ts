/**
 * A `FileDescriptorSet` (google/protobuf/descriptor.proto), as `protoc --descriptor_set_out` and
 * `buf build` write it: the services in it and their methods. All else in it is passed over.
 *
 * Refuses (SyntaxError) what is no such set, names that are not those of protobuf, and more than the limits.
 */
import { type BytesFields, readMessage } from "../protobuf.ts";

export interface DescribedService {
  /** With its package: `shop.Orders`. */
  readonly name: string;
  readonly methods: readonly string[];
}

const LIMITS = {
  /** Files, services and methods together; a large company's protos have some thousands. */
  entries: 50_000,
  /** Characters of a name with its package. */
  name: 512,
} as const;

/** In the order of the files. */
export function readDescriptorSet(bytes: Uint8Array): readonly DescribedService[] {
  const services: DescribedService[] = [];
  let entries = 0;
  const read = (part: Uint8Array, fields: BytesFields): void => {
    entries += 1;
    if (entries > LIMITS.entries) throw new SyntaxError(`more than ${LIMITS.entries} entries`);
    readMessage(part, fields);
  };
  read(bytes, {
    1: (file) => {
      let prefix = "";
      const found: { name: string; methods: string[] }[] = [];
      read(file, {
        2: (value) => (prefix = `${nameOf(value)}.`),
        6: (service) => {
          const one = { name: "", methods: [] as string[] };
          read(service, {
            1: (value) => (one.name = nameOf(value)),
            2: (method) => {
              read(method, { 1: (value) => void one.methods.push(nameOf(value)) });
            },
          });
          found.push(one);
        },
      });
      // The package may stand behind the services.
      for (const { name, methods } of found) services.push({ name: prefix + name, methods });
    },
  });
  return services;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/;

function nameOf(bytes: Buffer): string {
  const text = bytes.toString("latin1");
  if (text.length > LIMITS.name || !NAME.test(text)) throw new SyntaxError("a name that is none");
  return text;
}
