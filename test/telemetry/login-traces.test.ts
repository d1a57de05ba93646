/**
 * Traces of what people and operators do, from outside: each hop of a login, the calls to the admin API, the
 * refusals of both, by one process and by several; and nothing that lets anybody in is in a span.
 */
import assert from "node:assert/strict";
import { request, type IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { until } from "../e2e/stage.ts";
import { readRequests, valuesOf } from "../e2e/strict-http1.ts";
import type { Shown } from "../identity/browser.ts";
import { APP, type LoginStage, startLoginStage } from "../identity/login-stage.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "./otlp-receiver.ts";

const SERVER = 2;
const CLIENT = 3;
const SLOW = { timeout: 200_000 };
/** What an API client says of itself. */
const SCRIPT = { accept: "application/json" };

interface Ground {
  readonly place: LoginStage;
  readonly collector: OtlpReceiver;
}

async function ground(t: TestContext, sampling: string, workers: number): Promise<Ground> {
  const collector = await startOtlpReceiver();
  const place = await startLoginStage({
    adminSocket: "admin.sock",
    config: `workers: ${workers}
tracing:
  otlp: { endpoint: "${collector.url}", interval: 100ms }
  principal: true
${sampling}`,
  });
  t.after(async () => {
    await place.close();
    await collector.close();
  });
  return { place, collector };
}

interface Told {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** A call of an operator. */
async function askAdmin({ place }: Ground, path: string): Promise<Told> {
  const socketPath = join(place.stage.folder, "admin.sock");
  return await new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, agent: false }, (response) => {
      const { statusCode: status = 0, headers } = response;
      response.on("error", reject);
      response.on("end", () => resolve({ status, headers }));
      response.resume();
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

function traceOf({ headers }: { readonly headers: IncomingHttpHeaders }): {
  readonly trace: string;
  readonly span: string;
  readonly flags: string;
} {
  const [version, trace = "", span = "", flags = ""] = String(headers["traceresponse"]).split("-");
  assert.equal(version, "00", "no traceresponse");
  return { trace, span, flags };
}

/** The spans of what was answered, which hang together under the one that the answer names. */
async function spansOf(
  { collector }: Ground,
  shown: { readonly headers: IncomingHttpHeaders },
): Promise<{ readonly server: ReceivedSpan; readonly all: readonly ReceivedSpan[] }> {
  const { trace, span, flags } = traceOf(shown);
  assert.equal(flags, "01", `${trace} is not kept`);
  const found = (): ReceivedSpan[] => collector.spans.filter(({ traceId }) => traceId === trace);
  await until(() => found().some(({ kind }) => kind === SERVER));
  const all = found();
  const server = all.find(({ spanId }) => spanId === span) ?? assert.fail("another span is named");
  assert.equal(all.filter(({ kind }) => kind === SERVER).length, 1);
  const ids = new Set(all.map(({ spanId }) => spanId));
  for (const { name, parentSpanId } of all) {
    assert.ok(parentSpanId === undefined || ids.has(parentSpanId), `${name} hangs on nothing`);
  }
  assert.deepEqual(collector.faults, []);
  return { server, all };
}

/** Each answer of the proxy on the way, with its span's reason. */
async function reasonsOf(place: Ground, trail: readonly Shown[]): Promise<readonly unknown[]> {
  const ours = trail.filter(({ url }) => url.startsWith(APP));
  const spans = await Promise.all(ours.map((shown) => spansOf(place, shown)));
  return spans.map(({ server }) => server.attributes["sallyport.reason"]);
}

/** Whatever would let somebody in, of all that went by. */
function secretsOf(
  { place }: Ground,
  {
    trail,
    cookies = [],
  }: { readonly trail: readonly Shown[]; readonly cookies?: Iterable<string> },
): readonly string[] {
  const secrets: (string | null | undefined)[] = [];
  for (const { url, headers } of trail) {
    const { searchParams } = new URL(url);
    for (const name of ["code", "state", "nonce", "code_challenge", "return"]) {
      secrets.push(searchParams.get(name));
    }
    for (const line of headers["set-cookie"] ?? []) {
      secrets.push(line.slice(line.indexOf("=") + 1).split(";")[0]);
    }
  }
  for (const { authorization, form } of place.rogue.requests) {
    secrets.push(authorization, ...form.values());
  }
  secrets.push(...cookies);
  // What is short (a scope, a count) is no secret, and would be found anywhere.
  return secrets.filter((one) => typeof one === "string" && one.length >= 20) as string[];
}

for (const workers of [1, 2]) {
  test(
    `each hop of a login is a trace, down to the service, and no secret is in one (workers: ${workers})`,
    SLOW,
    async (t) => {
      const here = await ground(t, "  sample: 100%\n", workers);
      const { place, collector } = here;
      const browser = place.browser();
      const trail = await browser.go(`${APP}/app/report?month=canary-query`);
      assert.equal(trail.at(-1)?.status, 200);
      assert.deepEqual(await reasonsOf(here, trail), [
        "missing-credential",
        "login-begun",
        "logged-in",
        "permitted",
      ]);
      const callback = trail.find(({ url }) => url.includes("/.sallyport/callback/"));
      assert.ok(callback !== undefined);
      const back = await spansOf(here, callback);
      assert.equal(back.server.attributes["url.path"], "/.sallyport/callback/people");
      assert.match(String(back.server.attributes["url.query"]), /^(?:[a-z_]+=\*&?)+$/);
      assert.equal((await place.recordOf(callback))["trace"], back.server.traceId);
      assert.ok(!back.all.some(({ kind }) => kind === CLIENT), "no service had a part in it");

      const page = trail.at(-1) ?? assert.fail();
      const { server, all } = await spansOf(here, page);
      assert.equal(server.attributes["sallyport.principal"], "people/ada");
      const gate = all.find(({ name }) => name === "gate");
      assert.equal(gate?.parentSpanId, server.spanId);
      const client = all.find(({ kind }) => kind === CLIENT) ?? assert.fail("no attempt");
      const arrived = place.stage.service.connections
        .flatMap(({ text }) => readRequests(text).messages)
        .at(-1);
      assert.deepEqual(arrived && valuesOf(arrived, "traceparent"), [
        `00-${server.traceId}-${client.spanId}-01`,
      ]);
      assert.equal((await place.recordOf(page))["trace"], server.traceId);

      const forged = await place
        .browser()
        .visit(
          `${APP}/.sallyport/callback/people?code=forged-code-canary&state=forged-state-canary`,
        );
      assert.ok(forged.status >= 400, `${forged.status}`);
      const refused = await spansOf(here, forged);
      assert.notEqual(refused.server.attributes["sallyport.reason"], "logged-in");

      const called = await askAdmin(here, "/v1/status");
      assert.equal(called.status, 200);
      const call = await spansOf(here, called);
      assert.equal(call.server.attributes["http.response.status_code"], 200);
      assert.ok(
        call.all.some(
          ({ name, parentSpanId }) => name === "gate" && parentSpanId === call.server.spanId,
        ),
      );

      const secrets = [
        ...secretsOf(here, { trail, cookies: browser.cookies.values() }),
        "forged-code-canary",
        "forged-state-canary",
        "canary-query",
        "secret-of-the-client-canary",
        "eyJ",
      ];
      // Code, state, verifier, nonce, cookies of the login and the session, and who we are to the provider.
      assert.ok(secrets.length > 12, secrets.join("\n"));
      const exported = collector.texts.join("\n");
      for (const secret of secrets) assert.ok(!exported.includes(secret), `${secret} is in a span`);
    },
  );

  test(
    `refusals alone are kept when told so: of people, of logins and of operators (workers: ${workers})`,
    SLOW,
    async (t) => {
      const here = await ground(t, "  sample: 0\n  always: [denied]\n", workers);
      const { place, collector } = here;
      const browser = place.browser();
      const trail = await browser.go(`${APP}/app/report`);
      assert.equal(trail.at(-1)?.status, 200);
      const never = await browser.visit(`${APP}/never/x`, { headers: SCRIPT });
      const nobody = await place.browser().visit(`${APP}/app/x`, { headers: SCRIPT });
      const forged = await place
        .browser()
        .visit(
          `${APP}/.sallyport/callback/people?code=forged-code-canary&state=forged-state-canary`,
        );
      const mistaken = await askAdmin(here, "/v1/note-canary");
      assert.deepEqual([never.status, nobody.status], [403, 401]);
      assert.equal(mistaken.status, 404);
      const kept = [never, nobody, forged, mistaken];
      assert.deepEqual(
        kept.map((shown) => traceOf(shown).flags),
        ["01", "01", "01", "01"],
      );
      for (const shown of kept) {
        const { server, all } = await spansOf(here, shown);
        assert.notEqual(server.attributes["sallyport.reason"], "permitted");
        assert.ok(!all.some(({ kind }) => kind === CLIENT));
      }
      // The page and the way to the provider are decisions to let nobody in yet; what comes after them lets in.
      const ours = trail.filter(({ url }) => url.startsWith(APP));
      assert.deepEqual(
        ours.map((shown) => traceOf(shown).flags),
        ["01", "01", "00", "00"],
      );
      const fine = await askAdmin(here, "/v1/status");
      assert.equal(traceOf(fine).flags, "00");
      const expected = [...ours.slice(0, 2), ...kept];
      await Promise.all(expected.map((shown) => spansOf(here, shown)));
      assert.deepEqual(
        new Set(collector.spans.map(({ traceId }) => traceId)),
        new Set(expected.map((shown) => traceOf(shown).trace)),
      );
      const exported = collector.texts.join("\n");
      for (const secret of [
        ...secretsOf(here, { trail }),
        "forged-code-canary",
        "forged-state-canary",
      ]) {
        assert.ok(!exported.includes(secret), `${secret} is in a span`);
      }
    },
  );
}
