import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { promises as dns } from "node:dns";
import { test } from "node:test";
import { createNameResolver, type DnsQueries } from "./name-resolver.ts";

function refusing(code: string): () => Promise<never> {
  return () => Promise.reject(Object.assign(new Error(code), { code }));
}

const NOTHING: DnsQueries = {
  resolve4: refusing("ENODATA"),
  resolve6: refusing("ENODATA"),
  lookup: refusing("ENOTFOUND"),
};

test("createNameResolver() asks DNS for a fully qualified name, and takes the least TTL", async () => {
  const resolver = createNameResolver({
    ...NOTHING,
    resolve4: async (name) => {
      assert.equal(name, "billing.internal.");
      return [
        { address: "10.0.0.1", ttl: 60 },
        { address: "10.0.0.2", ttl: 20 },
      ];
    },
    resolve6: async () => [{ address: "fd00::1", ttl: 30 }],
  });
  assert.deepEqual(await resolver.resolve("billing.internal."), {
    addresses: ["10.0.0.1", "10.0.0.2", "fd00::1"],
    ttlSeconds: 20,
  });
});

test("createNameResolver() takes one kind of address where the other is not there", async () => {
  const resolver = createNameResolver({
    ...NOTHING,
    resolve6: async () => [{ address: "fd00::1", ttl: 30 }],
  });
  assert.deepEqual((await resolver.resolve("a.")).addresses, ["fd00::1"]);
});

test("createNameResolver() fails where one kind could not be asked for", async () => {
  const resolver = createNameResolver({
    ...NOTHING,
    resolve4: refusing("ETIMEOUT"),
    resolve6: async () => [{ address: "fd00::1", ttl: 30 }],
  });
  await assert.rejects(resolver.resolve("a."), { code: "ETIMEOUT" });
});

test("createNameResolver() fails where there is no address of any kind", async () => {
  await assert.rejects(createNameResolver(NOTHING).resolve("a."), { code: "ENODATA" });
});

test("createNameResolver() looks other names up as the system does, hosts file included", async () => {
  const { addresses, ttlSeconds } = await createNameResolver().resolve("localhost");
  assert.ok(addresses.includes("127.0.0.1") || addresses.includes("::1"));
  assert.equal(ttlSeconds, undefined);
});

test("createNameResolver() reads a DNS server's answer on this runtime", async () => {
  const server = createSocket("udp4");
  // One A record, 10.0.0.7 for 42 s; no AAAA.
  server.on("message", (query, peer) => {
    let end = 12;
    while (query[end] !== 0) end += (query[end] ?? 0) + 1;
    const isA = query.readUInt16BE(end + 1) === 1;
    const head = Buffer.from([0, 0, 0x85, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0]);
    query.copy(head, 0, 0, 2);
    const record = isA ? [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 42, 0, 4, 10, 0, 0, 7] : [];
    const answer = Buffer.concat([head, query.subarray(12, end + 5), Buffer.from(record)]);
    server.send(answer, peer.port, peer.address);
  });
  await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", () => resolve()));
  const own = new dns.Resolver();
  own.setServers([`127.0.0.1:${server.address().port}`]);
  const resolver = createNameResolver({
    ...NOTHING,
    resolve4: (name, options) => own.resolve4(name, options),
    resolve6: (name, options) => own.resolve6(name, options),
  });
  // Node says ENODATA for the missing kind, Bun ENOTFOUND.
  assert.deepEqual(await resolver.resolve("billing.internal."), {
    addresses: ["10.0.0.7"],
    ttlSeconds: 42,
  });
  server.close();
});
