import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createFixtureCa, ISSUER } from "../../test/authority/enrolment-ground.ts";
import {
  openIdentityFolder,
  type StoredIdentity,
} from "../authority/enrolment/machine-identity-folder.ts";
import { formatProblem } from "../model/errors.ts";
import { systemClock } from "../platform/clock.ts";
import { checkConfig } from "./check.ts";

type Kind = Pick<StoredIdentity, "kind" | "method">;

/** What `sallyport check` says of a relay called `names`, on a machine enrolled as "edge-1". */
async function said(
  t: TestContext,
  { kind, method, names }: Kind & { readonly names: string },
): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-identity-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "sallyport.yaml");
  const text = `version: 1
listeners: []
authority:
  feed: ["https://authority.internal:9443"]
  identity: identity
  serve: { address: "127.0.0.1:0", names: ${names} }
audit: { path: audit }
`;
  await writeFile(file, text);
  const identity = await openIdentityFolder(join(folder, "identity"), {
    create: true,
    nowMs: () => Date.now(),
  });
  const { keyPem, key } = await identity.pendingKey();
  const ca = createFixtureCa(systemClock);
  const { pem, notAfterMs } = ca.issue({
    commonName: "edge-1",
    publicKey: key.verification.keyObject,
    uris: [],
    dnsNames: ["edge-1"],
    ipAddresses: [],
    usages: ["client", "server"],
    lifetimeMs: 3_600_000,
  });
  const stored: StoredIdentity = {
    name: "edge-1",
    kind,
    method,
    issuer: ISSUER,
    authorities: ["https://authority.internal:9443"],
    obtainedMs: Date.now(),
    notAfterMs,
    certificatePem: method === "mtls" ? pem : undefined,
    clientId: method === "mtls" ? undefined : "edge-1",
    roots: ca.roots(),
  };
  await identity.adopt(stored, keyPem);
  const { problems } = await checkConfig(file, { clock: systemClock, env: {} });
  return problems.map((problem) => formatProblem(problem).replace(`${folder}/`, ""));
}

test("checkConfig() says nothing of a relay under the name that it is enrolled as", async (t) => {
  assert.deepEqual(await said(t, { kind: "proxy", method: "mtls", names: "[edge-1]" }), []);
});

test("checkConfig() finds a relay under a name that its certificate is not for", async (t) => {
  const names = "[edge-1, relay.internal]";
  const [line = "", ...others] = await said(t, { kind: "proxy", method: "mtls", names });
  assert.match(line, /^sallyport\.yaml:6:\d+ .*as "relay\.internal".*enrolled as "edge-1"/);
  assert.deepEqual(others, []);
});

test("checkConfig() finds an identity that cannot follow the feed", async (t) => {
  const names = "[edge-1]";
  const [workload = ""] = await said(t, { kind: "workload", method: "mtls", names });
  assert.match(workload, /^sallyport\.yaml:5:\d+ .*enrolled as a workload.*--kind proxy/);
  const [key = ""] = await said(t, { kind: "proxy", method: "private-key-jwt", names });
  assert.match(key, /^sallyport\.yaml:5:\d+ .*enrolled with private-key-jwt/);
});
