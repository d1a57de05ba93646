/**
 * What Prometheus is given to look at: a proxy with its own authority, under a load of which every panel has something
 * to show, which tells a witness, a sink and a collector that fail now and then; a sidecar beside it; and a second proxy
 * that follows the authority.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestContext } from "node:test";
import {
  ask,
  json,
  numberedKeys,
  type Sidecar,
  startServer,
  startSidecar,
} from "../e2e/sidecar.ts";
import { createRoot } from "../certificates.ts";
import { type Stage, startStage } from "../e2e/stage.ts";
import { startAskedProvider } from "./asked-provider.ts";
import { startCallers } from "./callers.ts";
import { startCrowd } from "./crowd.ts";
import { DATABASE, FAILING_STORE } from "./failing-store.ts";
import { makeFollower } from "./follower.ts";
import { startFurtherCallers } from "./further-callers.ts";
import { ISSUED_KEYS } from "./issued-keys.ts";
import { startMeshService } from "./mesh-service.ts";
import { startOpenStreams } from "./open-streams.ts";
import type { Part } from "./part.ts";

const DAY_MS = 86_400_000;

/** What is scraped. */
export interface Process {
  /** `host:port` of its operators' listener. */
  readonly admin: string;
  records(): readonly Readonly<Record<string, unknown>>[];
}

export interface Ground {
  readonly processes: readonly Process[];
  /** Requests of each kind in turn, with pauses that vary. */
  load(goesOn: () => boolean): Promise<void>;
}

export async function startGround(t: Pick<TestContext, "after">): Promise<Ground> {
  const tokens = await startServer(t, numberedKeys("Bearer"));
  const receiver = await startServer(t, failingNowAndThen());
  const billing = await startServer(t, (response) => json(response, 200, {}));
  const further = await startFurtherCallers(t);
  const follower = await makeFollower(t, billing.origin);
  const parts: readonly Part[] = [
    await startCallers(t),
    further,
    ISSUED_KEYS,
    await startAskedProvider(t),
    await startCrowd(t),
    await startMeshService(t),
    await startOpenStreams(t),
    follower,
    FAILING_STORE,
  ];
  const [stage, sidecar] = await Promise.all([
    startStageOf(parts, {
      receiver: receiver.origin,
      clients: further.clients,
      authority: ISSUED_KEYS.authority + follower.authority,
    }),
    startSidecar(t, {
      tokenEndpoint: `${tokens.origin}/token`,
      allow: `    billing: { endpoints: ["${billing.origin}"], host: billing.internal, scopes: [read], bind: none }\n`,
    }),
  ]);
  t.after(() => stage.close());
  const proxy = await follower.start(stage);
  return {
    processes: [stage, sidecar, proxy],
    load: (goesOn) => load({ parts, stage, sidecar }, goesOn),
  };
}

interface Told {
  /** Origin of who takes checkpoints, records and spans. */
  readonly receiver: string;
  /** Of the listener with TLS. */
  readonly clients: string;
  /** YAML lines of `authority`. */
  readonly authority: string;
}

async function startStageOf(parts: readonly Part[], told: Told): Promise<Stage> {
  const all = (key: keyof Part["options"]): string =>
    parts.map(({ options }) => options[key] ?? "").join("");
  return await startStage({
    listener: `    serve: [token, well-known, login]
  - name: secure
    address: 127.0.0.1:0
    tls: { certificate: edge.pem, key: edge.key, ${told.clients} }`,
    adminSocket: "run/admin.sock",
    audit: auditTold(told.receiver),
    config: authority(told.authority) + seeing(told.receiver) + all("config"),
    authenticators: all("authenticators"),
    services: all("services"),
    routes: all("routes"),
    policies: all("policies"),
    secrets: Object.assign(
      { kek: Buffer.alloc(32, 3).toString("base64url") },
      ...parts.map(({ secrets }) => secrets),
    ) as Readonly<Record<string, string>>,
    prepare(folder) {
      mkdirSync(`${folder}/state`, { mode: 0o700, recursive: true });
      const { chainPem, keyPem } = createRoot("root").issue({
        name: "edge",
        dns: ["api.example"],
        notAfter: new Date(Date.now() + 90 * DAY_MS),
      });
      writeFileSync(`${folder}/edge.pem`, chainPem);
      writeFileSync(`${folder}/edge.key`, keyPem, { mode: 0o600 });
      for (const part of parts) part.prepare?.(folder);
    },
  });
}

function authority(more: string): string {
  return `
authority:
  issuer: https://sallyport.example
  store: sqlite:${DATABASE}
  keyEncryptionKey: { file: kek }
${more}`;
}

function auditTold(receiver: string): string {
  return `  checkpoints: { every: 2s, witnesses: [{ type: webhook, name: keeper, url: "${receiver}/checkpoints" }] }
  sinks: [{ type: webhook, name: archive, url: "${receiver}/records" }]`;
}

/** Thresholds that this load crosses. */
function seeing(receiver: string): string {
  return `
signs:
  repeat: 5s
  refusalBurst: { address: 20, window: 10s }
  routeProbing: { count: 3, window: 30s }
tracing: { otlp: { endpoint: "${receiver}", interval: 500ms }, sample: 10% }
`;
}

/** Two in a row are refused on each path, and three taken: what failed is sent again, and lags for a scrape or more. */
function failingNowAndThen(): Parameters<typeof startServer>[1] {
  const asked = new Map<string, number>();
  return (response, { url }) => {
    const times = (asked.get(url) ?? 0) + 1;
    asked.set(url, times);
    json(response, times % 5 > 2 ? 503 : 200, {});
  };
}

async function load(
  at: { readonly parts: readonly Part[]; readonly stage: Stage; readonly sidecar: Sidecar },
  goesOn: () => boolean,
): Promise<void> {
  const { parts, stage, sidecar } = at;
  const secure = /\bsecure\b\s+https:\/\/(\S+)/.exec(stage.log())?.[1] ?? "";
  const place = { stage, secure };
  const aside: Promise<unknown>[] = [];
  for (let round = 0; goesOn(); round++) {
    const begun = parts.flatMap((part) => part.aside?.(place, round) ?? []);
    // Told at the end, with all others; until then nobody waits for it.
    for (const one of begun) one.catch(() => undefined);
    aside.push(...begun);
    await Promise.all([
      ...parts.flatMap((part) => part.round?.(place, round) ?? []),
      ...(round % 10 === 0 ? [ask(sidecar.out)] : []),
    ]);
    await sleep(30 + 40 * Math.sin(round / 40) ** 2);
  }
  await Promise.all(aside);
  for (const part of parts) part.rest?.();
}
