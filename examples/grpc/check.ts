import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ServiceError, status, type StatusObject } from "@grpc/grpc-js";
import { SignJWT } from "jose";
import type { Example, World } from "../example.ts";
import {
  bearer,
  connectOrders,
  type Order,
  type OrdersClient,
  type RunningOrders,
  startOrders,
} from "./orders.ts";

let orders: RunningOrders;
let key: KeyObject;

export const example: Example = {
  async prepare(ground) {
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
    key = pair.privateKey;
    const jwk = { ...pair.publicKey.export({ format: "jwk" }), kid: "one", alg: "ES256" };
    const keys = JSON.stringify({ keys: [jwk] });
    writeFileSync(join(ground.folder, "keys.json"), keys, { mode: 0o600 });
    // For tries by hand, as `curl -H @clerk.token` reads it.
    const token = await tokenOf("carla", { roles: ["Clerk"] }, 3600);
    writeFileSync(join(ground.folder, "clerk.token"), `authorization: Bearer ${token}\n`, {
      mode: 0o600,
    });
    orders = await startOrders(ground.port(9001));
    ground.onEnd(() => orders.close());
  },
  tries: [
    {
      shows: "a clerk calls methods of all four kinds",
      run: (world) =>
        withClient(world, async (client) => {
          const clerk = bearer(await tokenOf("carla", { roles: ["Clerk"] }));
          const got = await get(client, clerk);
          assert.deepEqual({ ...got }, { name: "o-17", items: 1, state: "open" });

          const placed = await new Promise<Order>((resolve, reject) => {
            const call = client.place(clerk, (error, order) => {
              if (error === null && order !== undefined) resolve(order);
              else reject(error);
            });
            call.write({ article: "bolt", count: 20 });
            call.write({ article: "nut", count: 22 });
            call.end();
          });
          assert.deepEqual({ ...placed }, { name: "new", items: 42, state: "placed" });

          const watch = client.watch({ name: "o-17" }, clerk);
          const seen: number[] = [];
          for await (const order of watch) {
            seen.push((order as Order).items);
            if (seen.length === 3) break;
          }
          assert.deepEqual(seen, [1, 2, 3]);

          const haggle = client.haggle(clerk);
          const prices: number[] = [];
          haggle.on("data", ({ price }: { price: number }) => {
            prices.push(price);
            if (price > 10) haggle.write({ price });
            else haggle.end();
          });
          const ended = new Promise((resolve, reject) => {
            haggle.on("end", resolve);
            haggle.on("error", reject);
          });
          haggle.write({ price: 100 });
          await ended;
          assert.deepEqual(prices, [50, 25, 12, 6]);
        }),
    },
    {
      shows: "others may look and not order: PERMISSION_DENIED, with the id of the decision",
      run: (world) =>
        withClient(world, async (client) => {
          const token = await tokenOf("otto");
          assert.equal((await get(client, bearer(token))).state, "open");
          const refused = await new Promise<ServiceError | null>((resolve) => {
            const call = client.place(bearer(token), (error) => resolve(error));
            call.on("error", () => {});
            call.end();
          });
          assert.equal(refused?.code, status.PERMISSION_DENIED);
          const [decision] = refused.metadata.get("sallyport-decision");
          assert.match(refused.details, /no-permit/);
          assert.ok(refused.details.includes(String(decision)));
        }),
    },
    {
      shows:
        "without a token a call is UNAUTHENTICATED, and to a method that is not there UNIMPLEMENTED",
      run: (world) =>
        withClient(world, async (client) => {
          const refused = await failure(get(client, bearer(undefined)));
          assert.equal(refused.code, status.UNAUTHENTICATED);
          const unknown = await new Promise<ServiceError | null>((resolve) => {
            client.makeUnaryRequest(
              "/shop.Invoices/Get",
              () => Buffer.alloc(0),
              () => undefined,
              {},
              bearer(undefined),
              (error) => resolve(error),
            );
          });
          assert.equal(unknown?.code, status.UNIMPLEMENTED);
        }),
    },
    {
      shows: "the service knows the caller's deadline, and is told when it has passed",
      run: (world) =>
        withClient(world, async (client) => {
          const cancelled = orders.cancelled();
          const token = bearer(await tokenOf("otto"));
          const call = client.watch({ name: "o-17" }, token, { deadline: Date.now() + 3000 });
          const ended = await endOf(call);
          assert.equal(ended.code, status.DEADLINE_EXCEEDED);
          await cancelled;
          const given = orders.lastDeadlineMs();
          assert.ok(given !== undefined && given > 0 && given <= 3000);
        }),
    },
    {
      shows: "a stream ends with UNAUTHENTICATED when the identity that opened it expires",
      run: (world) =>
        withClient(world, async (client) => {
          const call = client.watch({ name: "o-17" }, bearer(await tokenOf("otto", {}, 2)));
          const ended = await endOf(call);
          assert.equal(ended.code, status.UNAUTHENTICATED);
          assert.match(ended.details, /token-expired/);
        }),
    },
    {
      shows: "a service that says NOT_SERVING is sent nothing until it says SERVING again",
      run: (world) =>
        withClient(world, async (client) => {
          const token = bearer(await tokenOf("otto"));
          orders.serving = false;
          while ((await outcome(get(client, token))) !== status.UNAVAILABLE) await aMoment();
          orders.serving = true;
          while ((await outcome(get(client, token))) !== status.OK) await aMoment();
        }),
    },
  ],
};

async function withClient(
  world: World,
  use: (client: OrdersClient) => Promise<void>,
): Promise<void> {
  const client = connectOrders(world.address("edge"));
  try {
    await use(client);
  } finally {
    client.close();
  }
}

function get(client: OrdersClient, metadata: ReturnType<typeof bearer>): Promise<Order> {
  return new Promise((resolve, reject) => {
    client.get({ name: "o-17" }, metadata, { deadline: Date.now() + 10_000 }, (error, order) => {
      if (error === null && order !== undefined) resolve(order);
      else reject(error ?? new Error("no order"));
    });
  });
}

/** How a call that only receives has ended. */
function endOf(call: ReturnType<OrdersClient["watch"]>): Promise<StatusObject> {
  return new Promise((resolve) => {
    call.on("data", () => {});
    call.on("error", () => {});
    call.on("status", resolve);
  });
}

async function failure(call: Promise<unknown>): Promise<ServiceError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) throw new Error("the call was answered");
  return error as ServiceError;
}

function outcome(call: Promise<unknown>): Promise<status> {
  return call.then(
    () => status.OK,
    (error: unknown) => (error as ServiceError).code,
  );
}

function aMoment(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 50);
  });
}

function tokenOf(subject: string, claims: object = {}, seconds = 300): Promise<string> {
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: "ES256", kid: "one", typ: "at+jwt" })
    .setIssuer("https://login.example.com")
    .setAudience("https://shop.example.com")
    .setSubject(subject)
    .setIssuedAt()
    .setExpirationTime(`${seconds}s`)
    .sign(key);
}
