import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { test } from "node:test";
import { digestOf, revoking, TestAuthority } from "../../../test/authority/feed-kit.ts";
import { FeedGround } from "../../../test/authority/feed-ground.ts";
import { systemClock } from "../../platform/clock.ts";
import { frameLine } from "./frame-line.ts";

/** A connection with the certificate of this proxy; none without a name. */
function dial(ground: FeedGround, url: string, name?: string): Promise<TLSSocket> {
  const { port } = new URL(url);
  const identity = name === undefined ? undefined : ground.identity(name);
  const own = identity && { cert: identity.certificatePem, key: identity.keyPem };
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: Number(port), ca: [ground.ca.pem], ...own };
    const socket = connect(options, () => resolve(socket));
    socket.on("error", reject);
  });
}

/** The first bytes of the answer to a request, up to what was waited for. */
async function ask(socket: TLSSocket, head: string, until: RegExp): Promise<string> {
  socket.write(`${head}\r\nhost: authority\r\n\r\n`);
  let text = "";
  for await (const chunk of socket) {
    text += String(chunk);
    if (until.test(text)) break;
  }
  return text;
}

test("createFeedServer() serves nobody without a certificate, and nothing but GET", async () => {
  await using ground = new FeedGround();
  const { url } = await ground.authority();
  const nobody = await ask(await dial(ground, url), "GET /feed HTTP/1.1", /\}/);
  assert.match(nobody, /^HTTP\/1\.1 403 .*"code":"missing-certificate"/s);
  const post = await ask(await dial(ground, url, "edge-1"), "POST /feed HTTP/1.1", /\}/);
  assert.match(post, /^HTTP\/1\.1 405 /);
  const long = "GET /feed HTTP/1.1\r\ncontent-length: 3";
  assert.match(await ask(await dial(ground, url, "edge-1"), long, /\}/), /^HTTP\/1\.1 400 /);
  const lost = await ask(await dial(ground, url, "edge-1"), "GET /fee HTTP/1.1", /\}/);
  assert.match(lost, /^HTTP\/1\.1 404 /);
});

test("createFeedServer() gives a bundle to whom it is named for, and to nobody else", async () => {
  await using ground = new FeedGround();
  const hash = ground.publish("x".repeat(200_000), "edge-*");
  const { url } = await ground.authority();
  const head = `GET /bundles/${hash} HTTP/1.1`;
  assert.match(await ask(await dial(ground, url, "edge-1"), head, /x{100}/), /^HTTP\/1\.1 200 /);
  assert.match(await ask(await dial(ground, url, "inner"), head, /\}/), /^HTTP\/1\.1 404 /);
});

test("createFeedServer() cuts a follower off that does not read, and holds up nobody for it", async () => {
  await using ground = new FeedGround();
  const authority = await ground.authority();
  const { log } = authority.publisher;
  const follow = async (name: string): Promise<TLSSocket> => {
    const socket = await dial(ground, authority.url, name);
    socket.on("error", () => undefined);
    socket.write("GET /feed HTTP/1.1\r\nhost: authority\r\n\r\n");
    await new Promise((resolve) => socket.once("readable", resolve));
    return socket;
  };
  const [slow, quick] = [await follow("slow"), await follow("quick")];
  // What the quick one has still to hear.
  let due = 0;
  let wake = (): void => {};
  quick.on("data", ({ length }: Buffer) => {
    due -= length;
    if (due <= 0) wake();
  });
  const gone = new Promise<void>((resolve) => slow.on("close", () => resolve()));
  // More than the sockets between hold, and then more than may wait.
  let said = 0;
  for (let number = 1000; authority.feed.followers === 2; number++) {
    assert.ok(said < 100e6, "the slow one is never cut off");
    const heard = new Promise<void>((resolve) => (wake = resolve));
    const line = frameLine("x".repeat(512 * 1024));
    said += line.length;
    due += line.length;
    log.change({ before: number - 1, number, line });
    await heard;
  }
  slow.resume();
  await gone;
  assert.equal(authority.feed.followers, 1);
  assert.match(authority.metrics.render().body, /sallyport_feed_cut_off_total\{why="slow"\} 1/);
});

test("createFeedServer() lets one name follow a few times, and the newest count", async () => {
  await using ground = new FeedGround();
  const authority = await ground.authority();
  for (let count = 0; count < 6; count++) {
    const socket = await dial(ground, authority.url, "edge-1");
    socket.on("error", () => undefined);
    socket.write("GET /feed HTTP/1.1\r\nhost: authority\r\n\r\n");
    await new Promise((resolve) => socket.once("data", resolve));
  }
  assert.equal(authority.feed.followers, 4);
  assert.match(authority.metrics.render().body, /sallyport_feed_cut_off_total\{why="replaced"\} 2/);
});

test("createFeedPublisher() makes one snapshot for all who come", async () => {
  await using ground = new FeedGround();
  await ground.store.commit(Array.from({ length: 900 }, (_, index) => revoking(index)));
  const authority = await ground.authority();
  const [one, two] = await Promise.all([
    authority.publisher.snapshot(),
    authority.publisher.snapshot(),
  ]);
  assert.equal(one, two);
  await ground.store.commit([revoking(1000)]);
  await authority.state.refresh();
  assert.equal(await authority.publisher.snapshot(), one);
});

test("a follower goes on through rotations, and asks anew for what a lost key has signed", async () => {
  await using ground = new FeedGround();
  await ground.store.commit([revoking(1)]);
  const authority = await ground.authority();
  const { follower, consumer, folder } = await ground.follower("edge-1", [authority.url]);
  await follower.start();
  await consumer.until(() => consumer.asOfMs > 0);
  const resets = (): number => consumer.calls.filter((call) => call === "reset").length;
  await new Promise<void>((resolve) => setTimeout(resolve, 2));
  ground.keys.rotate();
  await ground.store.commit([revoking(2)]);
  await consumer.until(() => consumer.revocations.size === 2);
  assert.equal(resets(), 1);
  await new Promise<void>((resolve) => setTimeout(resolve, 2));
  ground.keys.rotate({ emergency: true });
  const floor = ground.keys.current.published.activeMs;
  await ground.store.commit([revoking(3)]);
  await consumer.until(() => consumer.revocations.size === 3 && resets() === 2);
  await consumer.until(() => consumer.calls.at(-1) === "current");
  await follower.close();
  const [head = ""] = (await readFile(join(folder, "state"), "utf8")).split("\n");
  assert.equal((JSON.parse(head) as { floor: number }).floor, floor);
  const again = await ground.follower("edge-1", [authority.url], { folder });
  await again.follower.start();
  assert.deepEqual(again.consumer.digests, [1, 2, 3].map(digestOf).toSorted());
});

test("a follower adopts a new root that an old one vouches for", async () => {
  await using ground = new FeedGround();
  const authority = await ground.authority();
  const identity = ground.identity("edge-1");
  const { follower, consumer } = await ground.follower("edge-1", [authority.url], { identity });
  await follower.start();
  await consumer.until(() => consumer.asOfMs > 0);
  const next = new TestAuthority(systemClock, "next");
  ground.ca.trusted = [ground.ca.pem, next.pem];
  ground.ca.tell();
  await consumer.until(() => consumer.authorities.length === 2);
  assert.deepEqual(identity.adopted.at(-1), [ground.ca.pem, next.pem]);
  const before = consumer.asOfMs;
  await consumer.until(() => consumer.asOfMs > before);
});
