/** The token endpoint of several workers: whichever answers, keys are good everywhere and assertions count once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fetchOver } from "./oauth-client.ts";
import { ISSUER, jobKey, serverAuthority, startTokenStage } from "./token-stage.ts";
import { signToken } from "../issuer.ts";

/** Connections are spread over workers by the system, so that some of so many reach each of both. */
const MANY = 24;

let made = 0;

function assertion(): string {
  made += 1;
  const now = Math.floor(Date.now() / 1000);
  return signToken(
    jobKey,
    { alg: "ES256", kid: "job-1", typ: "JWT" },
    { iss: "job", sub: "job", aud: ISSUER, iat: now, exp: now + 60, jti: `w-${made}` },
  );
}

test("workers issue keys, know each other's, and take an assertion once", async (t) => {
  const stage = await startTokenStage({ config: "workers: 2\n" });
  t.after(async () => await stage.close());
  const fetched = fetchOver({ address: stage.proxy, ca: serverAuthority });
  const ask = async (path: string, parameters: Record<string, string>): Promise<Response> =>
    await fetched(`${ISSUER}/.sallyport/${path}`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(parameters),
      redirect: "manual",
    });
  const proof = (text: string): Record<string, string> => ({
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    client_assertion: text,
  });
  const wanted = { grant_type: "client_credentials", audience: "recorder" };
  const keyOf = async (): Promise<string> => {
    const answer = await ask("token", { ...wanted, ...proof(assertion()) });
    assert.equal(answer.status, 200, await answer.clone().text());
    return ((await answer.json()) as { readonly access_token: string }).access_token;
  };
  const call = async (key: string): Promise<number> => {
    const headers = { authorization: `Bearer ${key}` };
    const options = {
      method: "GET",
      headers,
      redirect: "manual",
      body: undefined as never,
    } as const;
    return (await fetched(`${ISSUER}/invoices/7`, options)).status;
  };

  const keys = await Promise.all(Array.from({ length: MANY }, keyOf));
  const opened = await Promise.all(keys.map(call));
  assert.deepEqual(new Set(opened), new Set([200]));

  const once = proof(assertion());
  const answers = await Promise.all(
    Array.from({ length: MANY }, async () => (await ask("token", { ...wanted, ...once })).status),
  );
  assert.equal(answers.filter((status) => status === 200).length, 1, answers.join(" "));

  const [first = ""] = keys;
  assert.equal((await ask("revoke", { token: first, ...proof(assertion()) })).status, 200);
  const deadline = performance.now() + 5000;
  // It goes to the other worker over the control socket.
  let left = MANY;
  while (left > 0 && performance.now() < deadline)
    left = (await call(first)) === 401 ? left - 1 : MANY;
  assert.equal(left, 0, "a worker still takes it");
});
