/**
 * Redaction through a whole proxy: what `audit.redact` names is found nowhere that the proxy writes, what one
 * person did still joins, and after an erasure nothing joins any more while the log stays proven.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { createAdminClient } from "../../src/cli/admin-client.ts";
import { createAdminTransport } from "../../src/cli/admin-transport.ts";
import { verified } from "../kept-log.ts";
import { startOtlpReceiver } from "../telemetry/otlp-receiver.ts";
import type { AuditRecord } from "./judge.ts";
import { startStage, type Stage, until } from "./stage.ts";

const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const RUNTIME = process.versions["bun"] === undefined ? "node" : "bun";

/** What must be found nowhere. The subject of who is denied is in it, too. */
const CANARY = "canary7c1f";
const ADA = `ada-${CANARY}`;
const EVE = `eve-${CANARY}`;
const ADDRESS = "198.51.100.77";
/** The kind of a span (OTLP). */
const SERVER = 2;
const SECRETS = [CANARY, ADDRESS];

const NAMES =
  "[principal.subject, principal.attributes.email, clientAddress, peerAddress, path, params, query, host, requestId]";

/** A server that keeps all that is posted to it. */
async function startKeeper(t: TestContext): Promise<{ readonly url: string; text(): string }> {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const zipped = request.headers["content-encoding"] === "gzip";
      bodies.push((zipped ? gunzipSync(body) : body).toString("utf8"));
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, text: () => bodies.join("\n") };
}

/** The command line in the folder of the stage. */
async function command(stage: Stage, ...args: string[]) {
  const child = spawn(SALLYPORT, args, {
    cwd: stage.folder,
    env: { ...process.env, SALLYPORT_RUNTIME: RUNTIME },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const [status] = (await once(child, "close")) as [number | null];
  return { status, text };
}

/** Every byte below a folder, as text in which any other text would be found. */
function allBytes(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.name}\n${readFileSync(join(entry.parentPath, entry.name), "latin1")}`)
    .join("\n");
}

async function startHiding(t: TestContext) {
  const hook = await startKeeper(t);
  const logs = await startKeeper(t);
  const spans = await startOtlpReceiver();
  const stage = await startStage({
    adminSocket: "admin.sock",
    listener: "    trustedProxies: [127.0.0.0/8]",
    authenticators: `  mailed:
    type: jwt
    issuer: https://mailed.example
    jwks: file:jwks.json
    audience: [https://api.example]
    algorithms: [ES256]
    principal:
      kind: user
      subject: sub
      attributes: { email: { claim: email, type: string } }
`,
    services: `  nowhere: { endpoints: ["http://127.0.0.1:1"] }`,
    routes: `  - { name: mailed, path: "/mailed/{id}", service: recorder, authenticate: [mailed] }
  - { name: away, path: "/away/{id}", service: nowhere, authenticate: [mailed] }`,
    policies: `@id("mailed")
permit (principal is Sallyport::User, action, resource in Sallyport::Service::"nowhere");
@id("by-mail")
permit (principal is Sallyport::User, action, resource == Sallyport::Route::"mailed")
when { principal.email like "ada-*" };
`,
    audit: `  redact: ${NAMES}
  checkpoints: { every: 100ms }
  sinks:
    - { name: out, type: stdout }
    - { name: hook, type: webhook, url: "${hook.url}" }
    - { name: logs, type: otlp, endpoint: "${logs.url}" }`,
    config: `accessLog: { format: logfmt, to: access.log }
usage:
  plans: { free: { quota: { requests: 1000, per: month } } }
  plan: { default: free }
signs: {}
tracing:
  otlp: { endpoint: "${spans.url}", interval: 100ms }
  sample: 100%
  principal: true
`,
  });
  t.after(async () => {
    await stage.close();
    await spans.close();
  });
  return { stage, hook, logs, spans };
}

function asker(stage: Stage) {
  return async (subject: string, route: "mailed" | "away" = "mailed"): Promise<string> => {
    const token = stage.issuer.token({
      iss: "https://mailed.example",
      sub: subject,
      email: `${subject}@example.org`,
    });
    const answer = await fetch(
      `http://${stage.proxy}/${route}/path-${CANARY}?card=query-${CANARY}`,
      {
        headers: {
          authorization: `Bearer ${token}`,
          "x-forwarded-for": ADDRESS,
          "x-forwarded-host": `${CANARY}.example`,
          "x-request-id": `request-${CANARY}`,
        },
      },
    );
    await answer.arrayBuffer();
    return answer.headers.get("sallyport-decision") ?? assert.fail(`${answer.status}: no id`);
  };
}

/** Who the admin API says has used so much, by her own name: in the book, and of the quotas. */
async function usedBy(
  api: ReturnType<typeof createAdminClient>,
  requests: number,
): Promise<readonly (string | undefined)[]> {
  const principal = `mailed/${ADA}`;
  for (;;) {
    // The book follows the log a moment later.
    const [row] = (await api.getUsage({ principal })).value.usage;
    const [standing] = (await api.listQuotas({ principal })).value.quotas;
    if (row?.requests !== requests || standing?.used.requests !== requests) continue;
    return [row.principal, standing.principal];
  }
}

function subjectOf(record: AuditRecord): string {
  return String((record["principal"] as { readonly subject?: string } | undefined)?.subject);
}

function pseudonymsIn(records: readonly AuditRecord[]): ReadonlySet<string> {
  return new Set(JSON.stringify(records).match(/hmac:[\w-]+/g));
}

const SLOW = { timeout: 200_000 };

test(
  "what is redacted is in nothing that the proxy writes, joins per person, and not after an erasure",
  SLOW,
  async (t) => {
    const { stage, hook, logs, spans } = await startHiding(t);
    const ask = asker(stage);
    const recordOf = (id: string): Promise<AuditRecord> =>
      stage.found(({ type, decisionId }) => type === "decision" && decisionId === id);

    const hers = [await ask(ADA), await ask(ADA), await ask(ADA, "away")];
    const denied = await ask(EVE);
    // Operators are told of what could not be completed, and of who is refused.
    await until(() => stage.log().includes("a request was not completed"));

    const before = await Promise.all(hers.map(recordOf));
    assert.deepEqual(
      before.map(({ decision }) => decision),
      ["permit", "permit", "permit"],
    );
    const [pseudonym = ""] = before.map(subjectOf);
    assert.match(pseudonym, /^hmac:/);
    assert.deepEqual([...new Set(before.map(subjectOf))], [pseudonym]);
    // All else of hers joins as well, member by member.
    for (const member of ["path", "query", "clientAddress", "peerAddress", "host", "requestId"]) {
      const [first, second] = before.map((record) => record[member]);
      assert.match(String(first), /^hmac:/, member);
      assert.equal(first, second, member);
    }
    const others = await recordOf(denied);
    assert.equal(others["reason"], "no-permit");
    assert.notEqual(subjectOf(others), pseudonym);
    const shared = [...pseudonymsIn([others])].filter((one) => pseudonymsIn(before).has(one));
    assert.deepEqual(shared, [], "two persons share nothing");

    // Each reader of the log has come to the last of them.
    const last = (text: string): boolean => [...hers, denied].every((id) => text.includes(id));
    const access = join(stage.folder, "access.log");
    await until(() => existsSync(access) && last(readFileSync(access, "utf8")));
    await until(() => last(hook.text()) && last(logs.text()) && last(stage.log()));
    await until(() => last(spans.texts.join("\n")));
    const found = await command(stage, "audit", "search", "--principal", `mailed/${ADA}`);
    assert.equal(found.status, 0, found.text);
    for (const id of hers) assert.ok(found.text.includes(id), found.text);
    assert.ok(!found.text.includes(denied));
    const all = await command(stage, "audit", "search", "--format", "jsonl");
    assert.ok(last(all.text));
    const exported = await command(stage, "audit", "export", "--format", "csv");
    assert.ok(last(exported.text));
    const explained = await command(stage, "explain", denied);
    assert.match(
      explained.text,
      /is redacted in the record: clientAddress, host, params\.id, path, /,
    );
    const replayed = await command(stage, "replay", "--from", "audit");
    assert.match(replayed.text, /redacted: \d+ \(.*\bprincipal\.subject \d+/);
    const api = createAdminClient(
      createAdminTransport({ socket: join(stage.folder, "admin.sock") }),
    );
    const asked = (await api.explainDecision({ id: denied })).value;
    assert.equal(asked.evaluation, "redacted");
    assert.deepEqual(asked.hidden, [
      "clientAddress",
      "host",
      "params.id",
      "path",
      "peerAddress",
      "principal.attributes.email",
      "principal.subject",
      "query",
    ]);
    const used = await usedBy(api, hers.length);
    assert.deepEqual(
      used,
      [pseudonym, pseudonym].map((subject) => `mailed/${subject}`),
    );
    const metrics = await (await fetch(`http://${stage.admin}/metrics`)).text();
    const places: Readonly<Record<string, string>> = {
      "the folder of the log": allBytes(join(stage.folder, "audit")),
      "the access log": readFileSync(access, "utf8"),
      "the webhook": hook.text(),
      "OTLP logs": logs.text(),
      spans: spans.texts.join("\n"),
      "standard output and the operators' log": stage.log(),
      search: found.text + all.text,
      export: exported.text,
      explain: explained.text,
      replay: replayed.text,
      "an explanation of the admin API": JSON.stringify(asked),
      "the admin API": JSON.stringify((await api.getUsage({ by: "principal,route" })).value),
      metrics: metrics,
    };
    for (const [place, text] of Object.entries(places)) {
      assert.ok(text.length > 100, place);
      for (const secret of SECRETS) assert.ok(!text.includes(secret), `${secret} is in ${place}`);
    }
    // Endpoints of services have the peer's address too, there with their port.
    for (const place of ["the folder of the log", "the webhook", "OTLP logs"]) {
      assert.doesNotMatch(places[place] ?? "", /"127\.0\.0\.1\\?"/, `the peer is in ${place}`);
    }
    const attributes = spans.spans
      .filter(({ kind }) => kind === SERVER)
      .flatMap((span) => Object.values(span.attributes));
    assert.ok(attributes.length > 0 && !attributes.includes("127.0.0.1"), "the peer is in spans");

    const erased = await command(stage, "audit", "erase", "--principal", `mailed/${ADA}`);
    assert.equal(erased.status, 0, erased.text);
    assert.ok(erased.text.includes(pseudonym));
    let after = before.slice(0, 1);
    const ids: string[] = [];
    // Running processes see it within a second.
    while (subjectOf(after[0] ?? {}) === pseudonym) {
      const id = await ask(ADA);
      ids.push(id);
      after = [await recordOf(id)];
    }
    const joined = [...pseudonymsIn(after)].filter((one) => pseudonymsIn(before).has(one));
    assert.deepEqual(joined, [], "nothing joins what was with what comes");
    const later = await command(stage, "audit", "search", "--principal", `mailed/${ADA}`);
    assert.equal(later.status, 0, later.text);
    assert.ok(later.text.includes(ids.at(-1) ?? ""));
    for (const id of hers) assert.ok(!later.text.includes(id), "what was hers is nobody's");
    assert.notEqual(
      (await api.getUsage({ principal: `mailed/${ADA}` })).value.usage[0]?.requests,
      3,
    );

    // Sealed by now: the checkpoint comes after the last record.
    const folder = join(stage.folder, "audit");
    const text = stage.auditText();
    let report = await verified(folder);
    while (report.records < text.trimEnd().split("\n").length) report = await verified(folder);
    assert.deepEqual(report.faults, []);
    const verify = await command(stage, "audit", "verify");
    assert.equal(verify.status, 0, verify.text);
  },
);
