/** Tokens bound to a certificate (RFC 8705 section 3), over TLS, in both protocols. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "node:tls";
import { createRoot, type TestCertificate } from "../certificates.ts";
import { createTestIssuer } from "../e2e/test-issuer.ts";
import { startGround } from "./bound-ground.ts";
import { dpopClient } from "./dpop-client.ts";

const root = createRoot("root");
const callers = createRoot("callers");
const edge = root.issue({ name: "edge", dns: ["api.example"] });
const alice = callers.issue({ name: "alice" });
/** The same key and name, and yet another certificate. */
const renewed = callers.issue({ name: "alice", keys: alice.keys });
const bob = callers.issue({ name: "bob" });

function thumbprint({ der }: TestCertificate): string {
  return createHash("sha256").update(der).digest("base64url");
}

interface Asked {
  readonly shown: TestCertificate | undefined;
  readonly target: string;
  readonly fields: Readonly<Record<string, string>>;
}

function tlsOf(shown: TestCertificate | undefined) {
  const pair = shown === undefined ? {} : { cert: shown.chainPem, key: shown.keyPem };
  return { ca: root.pem, servername: "api.example", ...pair };
}

/** Status and reason, over HTTP/1.1. */
async function overHttp1(address: string, { shown, target, fields }: Asked): Promise<string> {
  const [host = "", port] = address.split(":");
  const socket = connect({ host, port: Number(port), ...tlsOf(shown) });
  await once(socket, "secureConnect");
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
  const head = [`GET ${target} HTTP/1.1`, "Host: api.example", ...lines, "Connection: close"];
  socket.write([...head, "", ""].join("\r\n"));
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await once(socket, "close");
  return saidIn(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? "", text);
}

async function overHttp2(address: string, { shown, target, fields }: Asked): Promise<string> {
  const session = connectHttp2(`https://${address}`, tlsOf(shown));
  const stream = session.request({ ":path": target, ":authority": "api.example", ...fields });
  let status = "";
  let text = "";
  stream.on("response", (head) => (status = String(head[":status"])));
  stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  stream.end();
  await once(stream, "end");
  const closed = once(session, "close");
  session.close();
  await closed;
  return saidIn(status, text);
}

function saidIn(status: string, text: string): string {
  const reason = /"reason":"([a-z-]+)"/.exec(text)?.[1];
  return reason === undefined ? status : `${status} ${reason}`;
}

test(
  "a token is good over connections with its certificate and over no other",
  { timeout: 120_000 },
  async (t) => {
    const issuer = createTestIssuer();
    const ground = await startGround(t, {
      issuer,
      listener: `    tls:
      certificate: edge.pem
      key: edge.key
      clients: { mode: optional, ca: callers.pem }`,
      prepare(folder) {
        writeFileSync(join(folder, "edge.pem"), edge.chainPem);
        writeFileSync(join(folder, "edge.key"), edge.keyPem, { mode: 0o600 });
        writeFileSync(join(folder, "callers.pem"), callers.pem);
      },
    });
    const client = dpopClient();
    const hers = issuer.token({ cnf: { "x5t#S256": thumbprint(alice) } });
    const both = issuer.token({
      cnf: { "x5t#S256": thumbprint(alice), jkt: client.thumbprint },
    });
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
    const proven = (token: string) => ({
      authorization: `DPoP ${token}`,
      dpop: client.proof({ method: "GET", url: "https://api.example/bound/x", token }),
    });
    const rows: readonly (readonly [
      string,
      TestCertificate | undefined,
      () => Record<string, string>,
      string,
      string?,
    ])[] = [
      ["with its certificate", alice, () => bearer(hers), "200"],
      ["… where bound ones are required", alice, () => bearer(hers), "200", "/strict/x"],
      ["with another's", bob, () => bearer(hers), "401 wrong-certificate"],
      ["with another one of the same key", renewed, () => bearer(hers), "401 wrong-certificate"],
      ["with none", undefined, () => bearer(hers), "401 missing-proof"],
      [
        "with none, where it is reported",
        undefined,
        () => bearer(hers),
        "401 missing-proof",
        "/report/x",
      ],
      [
        "with none, and a certificate in a field",
        undefined,
        () => ({ ...bearer(hers), "client-cert": `:${alice.der.toString("base64")}:` }),
        "401 missing-proof",
      ],
      ["as DPoP", alice, () => proven(hers), "401 invalid-proof"],
      ["bound to both, with both", alice, () => proven(both), "200"],
      ["bound to both, without the proof", alice, () => bearer(both), "401 missing-proof"],
      [
        "bound to both, with another's certificate",
        bob,
        () => proven(both),
        "401 wrong-certificate",
      ],
      [
        "bound to nobody, over such a connection",
        alice,
        () => bearer(issuer.token()),
        "401 unbound-token",
        "/strict/x",
      ],
      [
        "bound by a hash of another kind",
        alice,
        () => bearer(issuer.token({ cnf: { x5t: thumbprint(alice) } })),
        "401 missing-proof",
      ],
      [
        "bound by something that is no hash",
        alice,
        () => bearer(issuer.token({ cnf: { "x5t#S256": "AAAA" } })),
        "401 invalid-claim",
      ],
    ];
    for (const [name, shown, fields, expected, target = "/bound/x"] of rows) {
      for (const ask of [overHttp1, overHttp2]) {
        const asked = { shown, target, fields: fields() };
        assert.equal(await ask(ground.edge, asked), expected, `${ask.name}: ${name}`);
      }
    }
  },
);
