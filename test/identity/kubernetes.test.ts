/**
 * Service accounts of a cluster from outside: callers before a proxy as `sallyport run` starts it, and
 * beside it an API server that publishes its keys to who may read them, and reviews tokens.
 */
import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { startStage, type Stage, until } from "../e2e/stage.ts";
import { testKey } from "../issuer.ts";
import { type Cluster, type ClusterOptions, startCluster } from "../kubernetes-api.ts";

interface Ground {
  readonly stage: Stage;
  readonly cluster: Cluster;
}

async function ground(
  t: TestContext,
  options: {
    readonly more?: string;
    readonly cluster?: ClusterOptions;
    readonly token?: (cluster: Cluster) => string;
  } = {},
): Promise<Ground> {
  const cluster = await startCluster(options.cluster);
  t.after(() => cluster.close());
  const stage = await startStage({
    authenticators: `
  cluster:
    type: kubernetes
    apiServer: ${cluster.url}
    ca: ca.crt
    tokenFile: token
    audience: [sallyport]
${options.more ?? ""}`,
    routes: `  - { name: pods, path: "/pods/*", service: recorder, authenticate: [cluster] }
`,
    policies: `
@id("checkout")
permit (
  principal is Sallyport::Workload in Sallyport::Group::"cluster/system:serviceaccounts:shop",
  action,
  resource == Sallyport::Route::"pods"
) when { principal has serviceAccount && principal.serviceAccount == "checkout" && principal has pod && principal.pod like "checkout-*" };
`,
    secrets: { "ca.crt": cluster.ca, token: (options.token ?? delegator)(cluster) },
  });
  t.after(() => stage.close());
  return { stage, cluster };
}

async function ask({ stage }: Ground, token: string): Promise<string> {
  const response = await fetch(`http://${stage.proxy}/pods/x`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const text = await response.text();
  const { reason } = response.ok ? { reason: "" } : (JSON.parse(text) as { reason: string });
  return `${response.status} ${reason}`.trim();
}

const FOR_US = { audiences: ["sallyport"] };

test("a pod is known by its projected token, and policies read what it is", async (t) => {
  const g = await ground(t);
  const { cluster } = g;
  assert.equal(await ask(g, cluster.token(FOR_US)), "200");
  assert.equal(await ask(g, cluster.token({ ...FOR_US, serviceAccount: "cart" })), "403 no-permit");
  assert.equal(await ask(g, cluster.token({ ...FOR_US, namespace: "dev" })), "403 no-permit");
  assert.equal(await ask(g, cluster.token({ ...FOR_US, pod: null })), "403 no-permit");
  assert.equal(await ask(g, cluster.token()), "401 wrong-audience", "what is for the API server");
  assert.equal(
    await ask(g, cluster.token({ ...FOR_US, claims: { exp: undefined } })),
    "401 missing-claim",
  );
  const forged = testKey("cluster-1", "RS256", "forged");
  assert.equal(await ask(g, cluster.token({ ...FOR_US, key: forged })), "401 invalid-signature");
  assert.deepEqual(cluster.refused, []);
  const record = await g.stage.found((one) => one["decision"] === "permit");
  assert.match(JSON.stringify(record), /system:serviceaccount:shop:checkout/);
});

test("a cluster whose issuer is another is not believed, and the log says which it is", async (t) => {
  const g = await ground(t, { cluster: { issuer: "https://oidc.eks.example/id/1" } });
  const claims = { iss: "https://kubernetes.default.svc.cluster.local" };
  const token = g.cluster.token({ ...FOR_US, claims });
  assert.equal(await ask(g, token), "503 identity-unavailable");
  await until(() => /oidc\.eks\.example\/id\/1/.test(g.stage.log()));
});

test("keys are asked of the API server only, whatever address it gives for them", async (t) => {
  const g = await ground(t, { cluster: { jwksUri: "https://10.0.0.1:6443/openid/v1/jwks" } });
  assert.equal(await ask(g, g.cluster.token(FOR_US)), "200");
});

test("a key that is rotated in works while the old one still does", async (t) => {
  const g = await ground(t, { more: "    keys: { cooldown: 1s, minRefresh: 1s }" });
  const { cluster } = g;
  const before = cluster.token(FOR_US);
  assert.equal(await ask(g, before), "200");
  const next = testKey("cluster-2", "RS256");
  cluster.published = [...cluster.published, next];
  cluster.key = next;
  const after = cluster.token(FOR_US);
  for (let left = 100; left > 0 && (await ask(g, after)) !== "200"; left--) await pause(100);
  assert.equal(await ask(g, after), "200");
  assert.equal(await ask(g, before), "200");
});

test("review: a token ends with its pod, and the API server is asked once for many requests", async (t) => {
  const g = await ground(t, { more: "    review: true\n    cache: { max: 1s, inactive: 1s }" });
  const { cluster } = g;
  const token = cluster.token(FOR_US);
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask(g, token)));
  assert.deepEqual([...new Set(answers)], ["200"]);
  assert.deepEqual(cluster.reviewed, [{ token, audiences: ["sallyport"] }]);
  cluster.deletePod("shop", "checkout-5d9c");
  for (let left = 100; left > 0 && (await ask(g, token)) === "200"; left--) await pause(100);
  assert.equal(await ask(g, token), "401 inactive-token");
  assert.deepEqual(cluster.refused, []);
});

test("review: who may not review gets nobody in, and the log says why", async (t) => {
  const g = await ground(t, {
    more: "    review: true",
    token: (cluster) => cluster.token({ namespace: "sallyport", serviceAccount: "other" }),
  });
  const { cluster } = g;
  assert.equal(await ask(g, cluster.token(FOR_US)), "503 identity-unavailable");
  await until(() => /tokenreviews: answered 403/.test(g.stage.log()));
  // The kubelet renews it: a question goes out with the new one.
  writeToken(g, delegator(cluster));
  const token = cluster.token(FOR_US);
  for (let left = 100; left > 0 && (await ask(g, token)) !== "200"; left--) await pause(100);
  assert.equal(await ask(g, token), "200");
});

function delegator(cluster: Cluster): string {
  return cluster.delegatorToken();
}

/** As the kubelet does: a new file in the place of the old one. */
function writeToken({ stage }: Ground, token: string): void {
  const file = join(stage.folder, "token");
  writeFileSync(`${file}.new`, token, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Between looks at what must come about. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
