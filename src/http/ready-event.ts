import type { Socket } from "node:net";

/** The event that says that bytes can be written: with TLS, the end of the handshake. */
export function readyEvent(socket: Socket): "connect" | "secureConnect" {
  return "encrypted" in socket ? "secureConnect" : "connect";
}
