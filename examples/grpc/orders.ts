/** The shop's gRPC service and its client, by `orders.proto` and the library that most people use. */
import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

export interface Order {
  readonly name: string;
  readonly items: number;
  readonly state: string;
}
export interface Item {
  readonly article: string;
  readonly count: number;
}
export interface Offer {
  readonly price: number;
}
export interface OrderName {
  readonly name: string;
}

/** As `orders.proto` has it. */
export interface OrdersClient extends grpc.Client {
  get(
    request: OrderName,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    answered: grpc.requestCallback<Order>,
  ): grpc.ClientUnaryCall;
  place(
    metadata: grpc.Metadata,
    answered: grpc.requestCallback<Order>,
  ): grpc.ClientWritableStream<Item>;
  watch(
    request: OrderName,
    metadata: grpc.Metadata,
    options?: grpc.CallOptions,
  ): grpc.ClientReadableStream<Order>;
  haggle(metadata: grpc.Metadata): grpc.ClientDuplexStream<Offer, Offer>;
}

export interface RunningOrders {
  readonly port: number;
  /** What its health check says. */
  serving: boolean;
  /** Milliseconds that the last `Watch` was given; undefined where it has no deadline. */
  lastDeadlineMs(): number | undefined;
  /** Settles when the next call is cancelled from outside. */
  cancelled(): Promise<void>;
  close(): void;
}

interface Loaded {
  readonly shop: { readonly Orders: grpc.ServiceClientConstructor };
  readonly grpc: {
    readonly health: { readonly v1: { readonly Health: grpc.ServiceClientConstructor } };
  };
}

const PROTOS = ["orders.proto", "health.proto"].map((name) =>
  fileURLToPath(new URL(name, import.meta.url)),
);

function load(): Loaded {
  const definition = loadSync(PROTOS, { longs: Number, defaults: true });
  return grpc.loadPackageDefinition(definition) as unknown as Loaded;
}

/** A client of the service behind `address` (`host:port`). */
export function connectOrders(address: string): OrdersClient {
  const { Orders } = load().shop;
  return new Orders(address, grpc.credentials.createInsecure()) as unknown as OrdersClient;
}

/** What a caller sends along: who it is. */
export function bearer(token: string | undefined): grpc.Metadata {
  const metadata = new grpc.Metadata();
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}

/** Every `Watch` sends an order at once and another one every 100 ms, until it is cancelled. */
export async function startOrders(port: number): Promise<RunningOrders> {
  const server = new grpc.Server();
  const loaded = load();
  let serving = true;
  let lastDeadlineMs: number | undefined;
  let cancelled = Promise.withResolvers<void>();
  server.addService(loaded.shop.Orders.service, {
    get: (
      call: grpc.ServerUnaryCall<OrderName, Order>,
      callback: grpc.sendUnaryData<Order>,
    ): void => {
      callback(null, { name: call.request.name, items: 1, state: "open" });
    },
    place: (
      call: grpc.ServerReadableStream<Item, Order>,
      callback: grpc.sendUnaryData<Order>,
    ): void => {
      let items = 0;
      call.on("data", ({ count }: Item) => (items += count));
      call.on("end", () => callback(null, { name: "new", items, state: "placed" }));
    },
    watch: (call: grpc.ServerWritableStream<OrderName, Order>): void => {
      const deadline = Number(call.getDeadline());
      lastDeadlineMs = Number.isFinite(deadline) ? deadline - Date.now() : undefined;
      let items = 0;
      const send = (): void => {
        items += 1;
        call.write({ name: call.request.name, items, state: "open" });
      };
      send();
      const timer = setInterval(send, 100);
      call.on("cancelled", () => {
        clearInterval(timer);
        cancelled.resolve();
      });
    },
    haggle: (call: grpc.ServerDuplexStream<Offer, Offer>): void => {
      // Half of what is asked for, each time.
      call.on("data", ({ price }: Offer) => call.write({ price: Math.floor(price / 2) }));
      call.on("end", () => call.end());
    },
  });
  server.addService(loaded.grpc.health.v1.Health.service, {
    check: (
      _call: grpc.ServerUnaryCall<unknown, unknown>,
      callback: grpc.sendUnaryData<unknown>,
    ): void => {
      callback(null, { status: serving ? "SERVING" : "NOT_SERVING" });
    },
  });
  const bound = await new Promise<number>((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, at) => {
      if (error === null) resolve(at);
      else reject(error);
    });
  });
  return {
    port: bound,
    get serving() {
      return serving;
    },
    set serving(now) {
      serving = now;
    },
    lastDeadlineMs: () => lastDeadlineMs,
    cancelled: () => {
      cancelled = Promise.withResolvers<void>();
      return cancelled.promise;
    },
    close: () => server.forceShutdown(),
  };
}
