/**
 * A client of gRPC at one address of this machine, as far as endless streams need it: bytes out, bytes
 * in, how it ended. It resolves no names, asks no proxy that the environment may name, and does not
 * try again by itself: who uses it decides when.
 *
 * Refuses messages larger than the limit: the call ends with RESOURCE_EXHAUSTED.
 */
import {
  ChannelCredentials,
  type ChannelOptions,
  Client,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";

export interface GrpcOptions {
  /** `unix:/path`, or `tcp:address:port` with an IP address. */
  readonly address: string;
  /** Sent with every call. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly maxMessageBytes: number;
}

/** How a call ended: the gRPC status, and what was said about it. */
export interface GrpcEnd {
  readonly code: number;
  readonly detail: string;
}

export interface StreamHandlers {
  message(bytes: Buffer): void;
  /** Once, and after it nothing more; not after the call was cancelled. */
  ended(end: GrpcEnd): void;
}

export interface GrpcClient {
  /** Calls a method that answers with a stream, such as `/Service/Method`. Returns what cancels it. */
  stream(method: string, request: Uint8Array, handlers: StreamHandlers): () => void;
  close(): void;
}

const LIMITS = {
  /** Pauses of the library between connections, below the shortest of ours: it must not hold us up. */
  reconnectMs: { initial: 100, max: 500 },
  /** Of what the other side says about an end, in the log. */
  detailChars: 200,
} as const;

export function openGrpcClient({ address, metadata, maxMessageBytes }: GrpcOptions): GrpcClient {
  const options: ChannelOptions = {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.initial_reconnect_backoff_ms": LIMITS.reconnectMs.initial,
    "grpc.max_reconnect_backoff_ms": LIMITS.reconnectMs.max,
    "grpc.enable_retries": 0,
    // `http_proxy` of the environment is for what leaves the machine.
    "grpc.enable_http_proxy": 0,
    "grpc.service_config_disable_resolution": 1,
    "grpc.use_local_subchannel_pool": 1,
    // The authority of the target is a path; servers want a name (RFC 9113 section 8.3.1).
    "grpc.default_authority": "localhost",
  };
  const client = new Client(targetOf(address), ChannelCredentials.createInsecure(), options);
  return {
    stream(method, request, handlers) {
      const sent = new Metadata();
      for (const [name, value] of Object.entries(metadata)) sent.set(name, value);
      const call = client.makeServerStreamRequest(method, toBuffer, asIs, request, sent, {});
      let over = false;
      const end = (code: number, detail: string): void => {
        if (over) return;
        over = true;
        handlers.ended({ code, detail: shortened(detail) });
      };
      call.on("data", (bytes: Buffer) => {
        if (!over) handlers.message(bytes);
      });
      call.on("error", (error: Partial<ServiceError>) => {
        // What cannot be unpacked comes without a status.
        const { code = status.INTERNAL, details = "an answer that cannot be read" } = error;
        end(code, details);
      });
      call.on("status", ({ code, details }) => end(code, details));
      call.on("end", () => undefined);
      return () => {
        over = true;
        call.cancel();
      };
    },
    close: () => client.close(),
  };
}

/** As gRPC names targets: an address literal, so that nothing is asked of DNS. */
function targetOf(address: string): string {
  if (!address.startsWith("tcp:")) return address;
  const hostPort = address.slice("tcp:".length);
  return `${hostPort.startsWith("[") ? "ipv6" : "ipv4"}:${hostPort}`;
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes);
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

/** One line of printable text. */
function shortened(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ").slice(0, LIMITS.detailChars);
}
