/**
 * A page of another origin wants to read what a visitor may: it comes from an origin that looks like an
 * allowed one (a suffix, another case, another port, `null` as sandboxed frames and files send it),
 * or hopes that the proxy says whatever origin it is told (as CorsMiddleware-like defaults have done
 * in many frameworks; PortSwigger's "Exploiting CORS misconfigurations" lists them). And a service
 * that says yes to everybody must not be heard on a route with rules of its own.
 */
import { after } from "node:test";
import { strict as assert } from "node:assert";
import { answersOf } from "../e2e/judge.ts";
import { arrivalsOf, reasonsOf } from "../e2e/expect.ts";
import { testOverEach } from "../e2e/over-each.ts";
import { requestBytes, type Stage, startStage } from "../e2e/stage.ts";
import { type StrictResponse, valuesOf } from "../e2e/strict-http1.ts";

const APP = "https://app.example.com";
const stage = await startStage({
  routes: `  - name: shared
    path: "/shared/*"
    methods: [GET, PUT]
    service: recorder
    authenticate: [test]
    cors: { origins: ["${APP}"], credentials: true, headers: [authorization], expose: [x-total] }
  - name: public
    path: "/public"
    service: recorder
    authenticate: [anonymous]
    cors: { origins: ["*"] }`,
  policies: `@id("shared") permit (principal is Sallyport::Workload, action, resource == Sallyport::Route::"shared");`,
});
after(() => stage.close());

async function askOver(
  attack: Stage["attack"],
  line: string,
  fields: readonly string[],
): Promise<{ readonly answer: StrictResponse; readonly arrived: number }> {
  const [method = "GET", target = "/"] = line.split(" ");
  const bytes = requestBytes(target, fields).replace("GET", method);
  const evidence = await attack(bytes);
  const [answer] = answersOf(evidence);
  assert.ok(answer !== undefined);
  return { answer, arrived: arrivalsOf(evidence).length - 1 };
}

type Ask = (line: string, fields: readonly string[]) => ReturnType<typeof askOver>;

function asker(attack: Stage["attack"]): Ask {
  return (line, fields) => askOver(attack, line, fields);
}

const allowedOrigin = (answer: StrictResponse): string[] =>
  valuesOf(answer, "access-control-allow-origin");
const PREFLIGHT = ["Access-Control-Request-Method: PUT"];

const STRANGERS = [
  "https://evil.example",
  "https://app.example.com.evil.example",
  "https://evil-app.example.com",
  "https://x.app.example.com",
  "https://APP.example.com",
  "HTTPS://app.example.com",
  "http://app.example.com",
  "https://app.example.com:443",
  "https://app.example.com:8443",
  "https://app.example.com/",
  "https://app.example.com.",
  "https://app.example.com, https://evil.example",
  "https://app.example.com https://evil.example",
  "null",
  "*",
  "",
];
for (const origin of STRANGERS) {
  testOverEach(stage, `a page of ${JSON.stringify(origin)} is told nothing`, async ({ attack }) => {
    const ask = asker(attack);
    const preflight = await ask("OPTIONS /shared/a", [`Origin: ${origin}`, ...PREFLIGHT]);
    assert.equal(preflight.answer.status, 204);
    const token = stage.issuer.token();
    const actual = await ask("GET /shared/a", [
      `Origin: ${origin}`,
      `Authorization: Bearer ${token}`,
    ]);
    assert.equal(actual.answer.status, 200);
    const denied = await ask("GET /shared/a", [`Origin: ${origin}`]);
    assert.equal(denied.answer.status, 401);
    for (const { answer } of [preflight, actual, denied]) {
      assert.doesNotMatch(answer.fields.flat().join("\n"), /access-control-(?!request)/);
      assert.match(valuesOf(answer, "vary").join(), /^origin/);
    }
  });
}

testOverEach(stage, "two Origin fields are no origin", async ({ attack }) => {
  const ask = asker(attack);
  const fields = [`Origin: ${APP}`, "Origin: https://evil.example"];
  const { answer } = await ask("GET /shared/a", fields);
  assert.deepEqual(allowedOrigin(answer), []);
});

testOverEach(
  stage,
  "the preflight of an allowed page is answered before identity, and recorded",
  async ({ attack }) => {
    const bytes = requestBytes("/shared/a", [`Origin: ${APP}`, ...PREFLIGHT]).replace(
      "GET",
      "OPTIONS",
    );
    const evidence = await attack(bytes);
    const [answer] = answersOf(evidence);
    assert.ok(answer !== undefined);
    assert.equal(answer.status, 204);
    assert.deepEqual(allowedOrigin(answer), [APP]);
    assert.deepEqual(valuesOf(answer, "access-control-allow-credentials"), ["true"]);
    assert.deepEqual(valuesOf(answer, "access-control-allow-methods"), ["GET, PUT"]);
    assert.deepEqual(valuesOf(answer, "access-control-allow-headers"), ["authorization"]);
    assert.deepEqual(valuesOf(answer, "access-control-max-age"), ["600"]);
    assert.equal(arrivalsOf(evidence).length, 1, "the sentinel alone");
    assert.equal(reasonsOf(evidence)[0], "answered-by-proxy");
    assert.equal(evidence.decisions[0]?.["route"], "shared");
  },
);

testOverEach(stage, "an allowed page reads answers and refusals alike", async ({ attack }) => {
  const ask = asker(attack);
  const token = stage.issuer.token();
  const fields = [`Origin: ${APP}`];
  const good = await ask("GET /shared/a", [...fields, `Authorization: Bearer ${token}`]);
  const refused = await ask("GET /shared/a", fields);
  assert.equal(good.answer.status, 200);
  assert.equal(refused.answer.status, 401);
  for (const { answer } of [good, refused]) {
    assert.deepEqual(allowedOrigin(answer), [APP]);
    assert.deepEqual(valuesOf(answer, "vary"), ["origin"]);
    const exposed = valuesOf(answer, "access-control-expose-headers");
    assert.deepEqual(exposed, ["sallyport-decision, x-total"]);
  }
});

testOverEach(
  stage,
  "an OPTIONS that is no preflight of the route is like any other request",
  async ({ attack }) => {
    const ask = asker(attack);
    for (const fields of [
      [`Origin: ${APP}`],
      PREFLIGHT,
      [`Origin: ${APP}`, "Access-Control-Request-Method: DELETE"],
      [`Origin: ${APP}`, "Access-Control-Request-Method: put"],
      [`Origin: ${APP}`, ...PREFLIGHT, ...PREFLIGHT],
    ]) {
      const { answer } = await ask("OPTIONS /shared/a", fields);
      assert.equal(answer.status, 405, fields.join());
    }
  },
);

testOverEach(stage, "with '*' every page reads, and none with credentials", async ({ attack }) => {
  const ask = asker(attack);
  const { answer } = await ask("GET /public", ["Origin: https://evil.example"]);
  assert.deepEqual(allowedOrigin(answer), ["*"]);
  assert.deepEqual(valuesOf(answer, "access-control-allow-credentials"), []);
});

testOverEach(
  stage,
  "what the service says of origins is replaced, in every spelling",
  async ({ attack }) => {
    const ask = asker(attack);
    stage.service.script(({ target }) => {
      const body = JSON.stringify({ target });
      const lines = [
        "HTTP/1.1 200 OK",
        "Access-Control-Allow-Origin: https://evil.example",
        "Access_Control_Allow_Credentials: true",
        "Access-Control-Anything: forged",
        `Content-Length: ${body.length}`,
      ];
      return { bytes: `${lines.join("\r\n")}\r\n\r\n${body}` };
    });
    const { answer } = await ask("GET /public", ["Origin: https://evil.example"]);
    assert.deepEqual(allowedOrigin(answer), ["*"]);
    assert.doesNotMatch(answer.fields.flat().join("\n"), /evil|forged|credentials/i);
  },
);
