/**
 * Three services without a line of security code. Each answers with what reached it, so that the
 * answer of a curl shows what the proxy tells a service about its caller, and what it keeps back.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";

export const SERVICE_NAMES = ["billing", "orders", "catalogue"] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

/** What one request looked like to a service. */
export interface Arrival {
  readonly service: ServiceName;
  readonly method: string;
  readonly path: string;
  /** The fields that tell of the caller or claim to, by lower-case name. */
  readonly identity: Readonly<Record<string, string>>;
}

export interface RunningService {
  readonly name: ServiceName;
  readonly address: string;
  close(): Promise<void>;
}

/** Fields in which a proxy speaks of the caller, and those in which a caller proves who it is. */
const IDENTITY_FIELD =
  /^(?:authorization|dpop|cookie|forwarded|x-forwarded-.*|x-real-ip|x-request-id|(?:x-)?sallyport-.*)$/;

const GOODS: Readonly<Record<ServiceName, readonly string[]>> = {
  billing: ["invoice 1001", "invoice 1002"],
  orders: ["order 7", "order 8"],
  catalogue: ["lantern", "rope", "grapnel"],
};

export interface ServiceOptions {
  readonly port: number;
  /** Called for every request that reaches it. */
  readonly arrived: (arrival: Arrival) => void;
}

/** Starts a service on loopback. */
export async function startService(
  name: ServiceName,
  { port, arrived }: ServiceOptions,
): Promise<RunningService> {
  const server = createServer((request, response) => {
    const arrival: Arrival = {
      service: name,
      method: request.method ?? "",
      path: request.url ?? "",
      identity: identityFields(request),
    };
    arrived(arrival);
    request.resume();
    if (arrival.path.endsWith("/events")) {
      // Goes on until somebody ends it.
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      response.write(`data: ${GOODS[name][0]}\n\n`);
      return;
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.end(`${JSON.stringify({ ...arrival, items: GOODS[name] }, null, 2)}\n`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return { name, address: addressOf(server), close: () => closeServer(server) };
}

function identityFields(request: IncomingMessage): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [field, value] of Object.entries(request.headers)) {
    if (IDENTITY_FIELD.test(field.replaceAll("_", "-"))) found[field] = String(value);
  }
  return found;
}

function addressOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("not listening");
  return `${address.address}:${address.port}`;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
