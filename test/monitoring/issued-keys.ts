/**
 * A client that gets keys from the token endpoint and calls with them, and some that it does not get. One of its keys
 * was revoked, one caller is blocked: both go on calling.
 */
import { admin } from "../cluster/admin.ts";
import type { Stage } from "../e2e/stage.ts";
import { bearer, call, type Part } from "./part.ts";

const SECRET = "kP3vXq7ZtLw9sN2bYc5RdF8hJm4GxA6u";

export const ISSUED_KEYS: Part & {
  /** YAML lines of `authority`. */
  readonly authority: string;
} = {
  authority: `  tokens: { subjects: [keys] }
  clients:
    job: { insecureSecret: "\${file:client}", roles: [Job] }
`,
  options: {
    authenticators: "  keys: { type: sallyport }\n",
    routes: `  - { name: own, path: "/own/*", service: recorder, authenticate: [keys] }\n`,
    policies: `
@id("keys-for-the-job")
permit (
  principal in Sallyport::Role::"Job",
  action == Sallyport::Action::"issueKey",
  resource == Sallyport::Service::"recorder"
);

@id("the-job")
permit (principal == Sallyport::Workload::"keys/job", action, resource == Sallyport::Route::"own");
`,
  },
  secrets: { client: SECRET },
  round({ stage }, round) {
    const calls: Promise<unknown>[] = [];
    if (round % 4 === 0) {
      const key = ask(stage, SECRET, "recorder");
      calls.push(key.then((token) => call(stage.proxy, "/own/x", bearer(token))));
    }
    if (round % 10 === 0) calls.push(ask(stage, SECRET, "away"));
    if (round % 40 === 0) calls.push(ask(stage, "wrong", "recorder"));
    if (round % 6 === 0) calls.push(callRevoked(stage));
    if (round % 15 === 0) calls.push(callBlocked(stage));
    return calls;
  },
};

async function ask(stage: Stage, secret: string, audience: string): Promise<string> {
  const answer = await fetch(`http://${stage.proxy}/.sallyport/token`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`job:${secret}`).toString("base64")}` },
    body: new URLSearchParams({ grant_type: "client_credentials", audience }),
  });
  const body = (await answer.json()) as { access_token?: string };
  return body.access_token ?? "";
}

const revokedKeys = new WeakMap<Stage, Promise<string>>();

async function callRevoked(stage: Stage): Promise<void> {
  let key = revokedKeys.get(stage);
  if (key === undefined) {
    key = ask(stage, SECRET, "recorder").then(async (token) => {
      const { jti } = JSON.parse(
        Buffer.from(token.split(".")[1] ?? "", "base64url").toString(),
      ) as { readonly jti: string };
      await takeAway(stage, "revoke", { kind: "id", authenticator: "keys", id: jti });
      return token;
    });
    revokedKeys.set(stage, key);
  }
  await call(stage.proxy, "/own/x", bearer(await key));
}

const blocked = new WeakMap<Stage, Promise<void>>();

async function callBlocked(stage: Stage): Promise<void> {
  const target = { kind: "subject", authenticator: "test", subject: "gone" };
  const done = blocked.get(stage) ?? takeAway(stage, "block", target);
  blocked.set(stage, done);
  await done;
  const token = stage.issuer.token({ sub: "gone", roles: ["Admin"] });
  await call(stage.proxy, "/guarded/x", bearer(token));
}

async function takeAway(stage: Stage, mode: "revoke" | "block", target: object): Promise<void> {
  const body = { target, mode };
  const answer = await admin(stage, { method: "POST", path: "/v1/revocations", body });
  if (answer.status !== 201) throw new Error(`${mode}: ${answer.status} ${answer.body}`);
}
