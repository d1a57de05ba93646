import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { publicHalf } from "../../crypto/public-key.ts";
import { readPrivateKey } from "../../crypto/private-key.ts";
import { SallyportError } from "../../model/errors.ts";
import { cachedBundle, newestOf } from "./bundle-cache.ts";
import { writeBundleFile } from "./bundle-file.ts";
import { type BundleTarget, fetchBundle } from "./bundle-fetcher.ts";

function keyPair() {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  return { signer: readPrivateKey(pem, undefined), key: publicHalf(pem) };
}

const OURS = keyPair();

function built(id: string, atSeconds: number, pair = OURS): { hash: string; text: string } {
  const text = `@id("${id}") permit (principal, action, resource);`;
  const vocabulary = { authenticators: [], services: [], routes: [] };
  const source = { files: [{ name: "a.cedar", text }], vocabulary };
  return writeBundleFile({ source, tests: [] }, { signers: [pair.signer], now: atSeconds * 1000 });
}

/** A server of one document, with an ETag of its content; what it was asked is in `asked`. */
async function ground(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-fetch-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const served = { text: "", status: 200, etags: true };
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers["if-none-match"]);
    const etag = `"${createHash("sha256").update(served.text).digest("hex")}"`;
    if (served.etags) response.setHeader("etag", etag);
    const same = served.etags && request.headers["if-none-match"] === etag;
    response.statusCode = same ? 304 : served.status;
    response.end(same ? undefined : served.text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const target: BundleTarget = {
    url: `http://127.0.0.1:${port}/gate.json`,
    keys: [OURS.key],
    cache: join(folder, "cache"),
    hash: undefined,
    ca: undefined,
  };
  return { served, asked, target };
}

const refused = (pattern: RegExp) => (error: unknown) =>
  error instanceof SallyportError && pattern.test(error.message);

test("fetchBundle() keeps what it fetched, and asks again by its ETag", async (t) => {
  const { served, asked, target } = await ground(t);
  const first = built("one", 100);
  served.text = first.text;
  assert.equal(await fetchBundle(target), "changed");
  assert.equal(newestOf(target.cache)?.hash, first.hash);
  assert.equal(cachedBundle(target.cache, first.hash), first.text);
  assert.equal(await fetchBundle(target), "same");
  assert.match(asked[1] ?? "", /^"[0-9a-f]{64}"$/);
  const second = built("two", 101);
  served.text = second.text;
  assert.equal(await fetchBundle(target), "changed");
  assert.equal(newestOf(target.cache)?.hash, second.hash);
  // The one before it is there to go back to.
  assert.equal(cachedBundle(target.cache, first.hash), first.text);
});

test("fetchBundle() does without ETags, and sees that nothing has changed", async (t) => {
  const { served, target } = await ground(t);
  served.etags = false;
  served.text = built("one", 100).text;
  assert.equal(await fetchBundle(target), "changed");
  assert.equal(await fetchBundle(target), "same");
});

test("fetchBundle() fetches anew what is not in the cache any more", async (t) => {
  const { served, asked, target } = await ground(t);
  const { hash, text } = built("one", 100);
  served.text = text;
  await fetchBundle(target);
  rmSync(join(target.cache, `${hash}.json`));
  assert.equal(await fetchBundle(target), "changed");
  assert.equal(asked[1], undefined);
});

test("fetchBundle() takes nothing that is not signed by a trusted key, whole, and answered with 200", async (t) => {
  const { served, target } = await ground(t);
  const good = built("one", 100);
  served.text = good.text;
  await fetchBundle(target);
  const rows: [string, number, RegExp][] = [
    [built("two", 101, keyPair()).text, 200, /signature/],
    [built("two", 101).text.replace("permit", "forbid"), 200, /bytes are not those/],
    [built("two", 101).text.slice(0, -9), 200, /no JSON/],
    [built("two", 101).text, 500, /the answer is 500/],
    [built("two", 101).text, 302, /302; redirects/],
    ["", 304, /the answer is 304/],
  ];
  for (const [text, status, pattern] of rows) {
    served.text = text;
    served.status = status;
    // Without an ETag a 304 answers what nobody has asked.
    writeFileSync(
      join(target.cache, "newest.json"),
      JSON.stringify({ hash: good.hash, url: target.url, signedAt: 100 }),
    );
    await assert.rejects(fetchBundle(target), refused(pattern));
    assert.equal(newestOf(target.cache)?.hash, good.hash);
    assert.equal(readdirSync(target.cache).length, 2);
  }
});

test("fetchBundle() takes none that was signed before the one at hand", async (t) => {
  const { served, target } = await ground(t);
  const young = built("young", 200);
  served.text = young.text;
  await fetchBundle(target);
  served.text = built("old", 199).text;
  await assert.rejects(fetchBundle(target), refused(/signed before/));
  assert.equal(newestOf(target.cache)?.hash, young.hash);
  await assert.rejects(
    fetchBundle({ ...target, url: `${target.url}?v=2` }),
    refused(/signed before/),
  );
  rmSync(join(target.cache, `${young.hash}.json`));
  await assert.rejects(fetchBundle(target), refused(/signed before/));
});

test("fetchBundle() keeps the last ten, and the one that is pinned", async (t) => {
  const { served, target } = await ground(t);
  const hashes: string[] = [];
  for (let n = 0; n < 13; n++) {
    const { hash, text } = built(`policy-${n}`, 100 + n);
    served.text = text;
    hashes.push(hash);
    await fetchBundle({ ...target, hash: hashes[0] });
  }
  const kept = hashes.map((hash) => cachedBundle(target.cache, hash) !== undefined);
  assert.equal(kept[0], true);
  assert.equal(kept.at(-1), true);
  assert.ok(kept.filter(Boolean).length <= 12, String(kept));
  assert.equal(kept[1], false);
});

test("fetchBundle() says that nobody answers", async (t) => {
  const { target } = await ground(t);
  const away = { ...target, url: "http://127.0.0.1:1/gate.json" };
  await assert.rejects(
    fetchBundle(away),
    refused(/127\.0\.0\.1:1\/gate\.json: the connection failed/),
  );
});
