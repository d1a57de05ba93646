/**
 * The same proxy with `node:http2` as its front (bench/node-http2/): what the ready-made module would
 * have given. Not a peer of anybody's; it stands in the HTTP/2 section alone.
 */
import { fileURLToPath } from "node:url";
import type { Peer } from "./peer.ts";
import { sallyportPeer } from "./sallyport.ts";

const SKETCH = fileURLToPath(new URL("../node-http2/main.ts", import.meta.url));

export const nodeHttp2Sketches: readonly Peer[] = [
  sallyportPeer("node-http2-bun", "the same with `node:http2` as front, on Bun", {
    runtime: "bun",
    http2: true,
    entry: SKETCH,
  }),
  sallyportPeer("node-http2-node", "the same with `node:http2` as front, on Node", {
    runtime: "node",
    http2: true,
    entry: SKETCH,
  }),
];
