/**
 * A frame as it goes out and is kept: one line, with its line feed, which many connections may send at
 * once. An engine of ours takes back the memory of what it has sent where a buffer is all of it
 * (`http/message-writer.ts`); this one is never all of its own.
 */
export function frameLine(frame: string | Buffer): Buffer {
  const memory = Buffer.allocUnsafeSlow(frame.length + 2);
  if (typeof frame === "string") memory.write(frame, "latin1");
  else frame.copy(memory);
  memory[frame.length] = 0x0a;
  return memory.subarray(0, frame.length + 1);
}
