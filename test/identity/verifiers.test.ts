/**
 * The programs of docs/assertions.md, as they stand there, in the languages that the machine has: they take
 * what is good, and nothing else.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { assertionSchema } from "../../src/gate/identity-options.ts";
import { generateSigningKey, type SigningKey } from "../../src/crypto/signing-key.ts";
import { signJws } from "../../src/crypto/sign-jws.ts";
import { assertionSpec, makeAssertion } from "../../src/proxy/assertion.ts";
import { factsOf } from "./facts.ts";

const ISSUER = "https://sallyport.example/assertions";
const docs = readFileSync(new URL("../../docs/assertions.md", import.meta.url), "utf8");

interface Language {
  readonly fence: string;
  readonly file: string;
  /** Ends with 0 where the machine has all that the program needs. */
  readonly needs: readonly string[];
  /** Program and arguments before those of the example. */
  readonly run: (file: string) => Promise<readonly string[]>;
}

const python = process.env["SALLYPORT_PYTHON"] ?? "python3";

const LANGUAGES: Readonly<Record<string, Language>> = {
  TypeScript: {
    fence: "ts",
    // Beside the tests, so that it finds jose.
    file: fileURLToPath(new URL(`verifier-${process.pid}.tmp.mts`, import.meta.url)),
    needs: [process.execPath, "--version"],
    run: (file) => Promise.resolve([process.execPath, file]),
  },
  Go: {
    fence: "go",
    file: "verify.go",
    needs: ["go", "version"],
    async run(file) {
      const built = file.replace(/\.go$/, "");
      const { code, text } = await runProgram(["go", "build", "-o", built, file]);
      assert.equal(code, 0, text);
      return [built];
    },
  },
  Python: {
    fence: "python",
    file: "verify.py",
    // Older ones than what the page names have no timeout.
    needs: [python, "-c", "import jwt, cryptography; jwt.PyJWKClient('http://x', timeout=5)"],
    run: (file) => Promise.resolve([python, file]),
  },
};

const LIMITS = {
  /** Milliseconds for a program: Go compiles its own library the first time, which takes a busy machine minutes. */
  program: 240_000,
  test: 300_000,
} as const;

function runProgram([program = "", ...args]: readonly string[]) {
  return new Promise<{ readonly code: number; readonly text: string }>((resolve) => {
    execFile(program, args, { timeout: LIMITS.program }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, text: `${stdout}${stderr}${error?.message ?? ""}` });
    });
  });
}

async function serveKeys(t: TestContext, keys: readonly SigningKey[]): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "application/jwk-set+json");
    response.end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function good(signer: SigningKey, audience = "billing", nowMs = Date.now()): string {
  const options = assertionSchema.parse({ audience });
  const spec = assertionSpec(options, { issuer: ISSUER, service: "billing" });
  return makeAssertion(factsOf(), spec, { signer, nowMs })?.token ?? "";
}

function claims(changes: Record<string, string | number> = {}) {
  const iat = Math.floor(Date.now() / 1000);
  return { iss: ISSUER, aud: "billing", sub: "corp/mallory", iat, exp: iat + 60, ...changes };
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}

function hostile(key: SigningKey): Readonly<Record<string, string>> {
  const other = generateSigningKey(key.algorithm);
  const typ = "sallyport-assertion+jwt";
  const [head = "", , signature = ""] = good(key).split(".");
  const named = {
    kid: key.kid,
    algorithm: key.algorithm,
    sign: (bytes: Uint8Array) => other.sign(bytes),
  };
  const old = good(key, "billing", Date.now() - 120_000);
  return {
    "for another service": good(key, "orders"),
    "that has expired": old,
    "of another issuer": signJws(key, { typ }, claims({ iss: "https://other.example" })),
    "of another type": signJws(key, { typ: "at+jwt" }, claims()),
    "whose claims were changed": `${head}.${encode(claims())}.${signature}`,
    "signed by a key that is in no set": good(other),
    "signed by another key under that name": signJws(named, { typ }, claims()),
    "without a signature": `${encode({ alg: "none", typ, kid: key.kid })}.${encode(claims())}.`,
    "that is none": "x",
  };
}

for (const [language, { fence, file, needs, run }] of Object.entries(LANGUAGES)) {
  test(
    `the ${language} of docs/assertions.md takes what is good and nothing else`,
    { timeout: LIMITS.test },
    async (t) => {
      if ((await runProgram(needs)).code !== 0) {
        t.skip(`no ${needs.join(" ")} on this machine`);
        return;
      }
      const [, text] = new RegExp(`\n\`\`\`${fence}\n([\\s\\S]+?)\n\`\`\`\n`).exec(docs) ?? [];
      assert.ok(text);
      const folder = mkdtempSync(join(tmpdir(), "sallyport-verifiers-"));
      const path = file.startsWith("/") ? file : join(folder, file);
      t.after(() => {
        rmSync(folder, { recursive: true, force: true });
        rmSync(path, { force: true });
      });
      writeFileSync(path, text);
      const program = await run(path);
      for (const algorithm of ["EdDSA", "ES256"] as const) {
        const key = generateSigningKey(algorithm);
        const url = await serveKeys(t, [generateSigningKey("EdDSA"), key]);
        const verify = (assertion: string) =>
          runProgram([...program, url, ISSUER, "billing", assertion]);
        const taken = await verify(good(key));
        assert.equal(taken.code, 0, taken.text);
        assert.equal(taken.text.trim(), "corp/alice");
        for (const [what, assertion] of Object.entries(hostile(key))) {
          const refused = await verify(assertion);
          assert.equal(refused.code, 1, `${algorithm}: one ${what} was taken: ${refused.text}`);
          assert.doesNotMatch(refused.text, /^corp\//m);
        }
      }
    },
  );
}
