/** CRC-32C (Castagnoli, RFC 3720 appendix B.4): the checksum of PROXY headers. No protection against anybody. */
const POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value;
});

/** The checksum, where the bytes from `blank` to `blank + 4` count as zeros. */
export function crc32c(bytes: Uint8Array, blank: number): number {
  let value = 0xffffffff;
  for (let index = 0; index < bytes.length; index++) {
    const byte = index >= blank && index < blank + 4 ? 0 : (bytes[index] ?? 0);
    value = (TABLE[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
  }
  return (value ^ 0xffffffff) >>> 0;
}
