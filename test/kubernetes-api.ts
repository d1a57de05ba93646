/**
 * A Kubernetes API server for tests, as far as authentication goes: it issues bound service-account tokens
 * (TokenRequest), publishes its keys (service account issuer discovery), and reviews tokens (TokenReview),
 * over TLS under an authority of its own. Its answers have the form, statuses and types of the real one's,
 * and it answers service accounts only that may ask.
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { createRoot } from "./certificates.ts";
import { keySetOf, signToken, type TestKey, testKey } from "./issuer.ts";

export interface ClusterOptions {
  /** 0 when left out: the system chooses. */
  readonly port?: number;
  /** `--service-account-issuer`. */
  readonly issuer?: string;
  /** What it says about where its keys are; its own address when left out. */
  readonly jwksUri?: string;
}

export interface TokenOptions {
  readonly namespace?: string;
  readonly serviceAccount?: string;
  /** The token is bound to it, and to the node that it runs on; null: to none. */
  readonly pod?: string | null;
  /** `--audience`; the API server's own when left out. */
  readonly audiences?: readonly string[];
  readonly seconds?: number;
  /** Claims in place of its own; undefined leaves one out. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: TestKey;
}

export interface Cluster {
  readonly url: string;
  readonly issuer: string;
  /** What clients have to trust: `ca.crt` of every pod. */
  readonly ca: string;
  /** Signs tokens now; a new one is published with those before. */
  key: TestKey;
  /** All that it publishes. */
  published: TestKey[];
  token(options?: TokenOptions): string;
  /** The token of a service account that may review others' (`system:auth-delegator`). */
  delegatorToken(): string;
  /** Ends tokens that are bound to it. */
  deletePod(namespace: string, pod: string): void;
  /** Method and path of what was asked by somebody who may, in order. */
  readonly asked: string[];
  /** Why somebody was refused, in order. */
  readonly refused: string[];
  /** What came with TokenReviews. */
  readonly reviewed: { readonly token: string; readonly audiences: readonly string[] }[];
  /** Takes a request in its place. */
  misbehave: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  close(): Promise<void>;
}

const DEFAULT_ISSUER = "https://kubernetes.default.svc.cluster.local";
const DELEGATOR = "system:serviceaccount:sallyport:sallyport";

interface Account {
  readonly username: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { issuer = DEFAULT_ISSUER, port = 0 } = options;
  const root = createRoot("kubernetes");
  const own = root.issue({
    name: "kube-apiserver",
    dns: ["kubernetes.default.svc", "localhost"],
    ip: ["127.0.0.1"],
  });
  const deleted = new Set<string>();
  const tokens = new Map<
    string,
    { readonly account: Account; readonly bound: string | undefined }
  >();
  const first = testKey("cluster-1", "RS256");

  const server = createServer({ cert: own.chainPem, key: own.keyPem }, (request, response) => {
    if (cluster.misbehave !== undefined) cluster.misbehave(request, response);
    else void answer(request, response);
  });
  const sockets = new Set<Socket>();
  server.on("secureConnection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url: path = "" } = request;
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    const asking = bearer === undefined ? undefined : authenticate(bearer, [issuer]);
    if (bearer !== undefined && asking === undefined) {
      refuse(response, { code: 401, reason: "Unauthorized", message: "Unauthorized" });
      return;
    }
    const who = asking?.username ?? "system:anonymous";
    const forbidden = (what: string): void =>
      refuse(response, { code: 403, reason: "Forbidden", message: `User "${who}" cannot ${what}` });
    switch (`${method} ${path}`) {
      case "GET /.well-known/openid-configuration":
        if (asking === undefined) return forbidden(`get path "${path}"`);
        cluster.asked.push(`${method} ${path}`);
        return send(
          response,
          { status: 200, type: "application/json", maxAge: 3600 },
          {
            issuer,
            jwks_uri: options.jwksUri ?? `${url}/openid/v1/jwks`,
            response_types_supported: ["id_token"],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: ["RS256"],
          },
        );
      case "GET /openid/v1/jwks":
        if (asking === undefined) return forbidden(`get path "${path}"`);
        cluster.asked.push(`${method} ${path}`);
        return send(
          response,
          { status: 200, type: "application/jwk-set+json", maxAge: 3600 },
          keySetOf(...cluster.published),
        );
      case "POST /apis/authentication.k8s.io/v1/tokenreviews":
        if (who !== DELEGATOR) return forbidden("create resource tokenreviews");
        cluster.asked.push(`${method} ${path}`);
        return review(response, await readJson(request));
      default:
        return refuse(response, { code: 404, reason: "NotFound", message: "not found" });
    }
  }

  /** As its authenticators do: an account, if one of the audiences is the token's. */
  function authenticate(token: string, audiences: readonly string[]): Account | undefined {
    const known = tokens.get(token);
    if (known === undefined || (known.bound !== undefined && deleted.has(known.bound)))
      return undefined;
    const { aud, exp } = claimsOf(token);
    if (exp * 1000 < Date.now()) return undefined;
    return audiences.some((one) => aud.includes(one)) ? known.account : undefined;
  }

  function review(response: ServerResponse, body: unknown): void {
    const { apiVersion, kind, spec } = body as Readonly<Record<string, unknown>>;
    if (apiVersion !== "authentication.k8s.io/v1" || kind !== "TokenReview") {
      return refuse(response, { code: 400, reason: "BadRequest", message: "no TokenReview" });
    }
    const { token, audiences = [issuer] } = spec as {
      readonly token: string;
      readonly audiences?: readonly string[];
    };
    cluster.reviewed.push({ token, audiences });
    const account = authenticate(token, audiences);
    send(
      response,
      { status: 201, type: "application/json" },
      {
        kind: "TokenReview",
        apiVersion: "authentication.k8s.io/v1",
        metadata: { creationTimestamp: null },
        spec,
        status:
          account === undefined
            ? {
                user: {},
                error: "[invalid bearer token, service account token has been invalidated]",
              }
            : {
                authenticated: true,
                user: account,
                audiences: audiences.filter((one) => claimsOf(token).aud.includes(one)),
              },
      },
    );
  }

  function refuse(
    response: ServerResponse,
    { code, ...said }: { readonly code: number; readonly reason: string; readonly message: string },
  ): void {
    cluster.refused.push(said.message);
    send(
      response,
      { status: code, type: "application/json" },
      {
        kind: "Status",
        apiVersion: "v1",
        metadata: {},
        status: "Failure",
        ...said,
        code,
      },
    );
  }

  const cluster: Cluster = {
    url,
    issuer,
    ca: root.pem,
    key: first,
    published: [first],
    token(given = {}) {
      const { namespace = "shop", serviceAccount = "checkout", audiences = [issuer] } = given;
      const { pod = `${serviceAccount}-5d9c`, seconds = 3600, key = cluster.key } = given;
      const uid = uidOf(`${namespace}/${serviceAccount}`);
      const username = `system:serviceaccount:${namespace}:${serviceAccount}`;
      const now = Math.floor(Date.now() / 1000);
      const podUid = uidOf(`${namespace}/pods/${pod}`);
      const claims = {
        aud: audiences,
        exp: now + seconds,
        iat: now,
        iss: issuer,
        jti: randomUUID(),
        "kubernetes.io": {
          namespace,
          ...(pod === null
            ? {}
            : { node: { name: "node-1", uid: uidOf("node-1") }, pod: { name: pod, uid: podUid } }),
          serviceaccount: { name: serviceAccount, uid },
          warnafter: now + Math.min(seconds, 3607),
        },
        nbf: now,
        sub: username,
        ...given.claims,
      };
      // API servers write no `typ`.
      const token = signToken(key, { alg: key.algorithm, kid: key.kid, ...given.header }, claims);
      const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`];
      tokens.set(token, {
        account: {
          username,
          uid,
          groups: [...groups, "system:authenticated"],
          extra:
            pod === null
              ? {}
              : {
                  "authentication.kubernetes.io/pod-name": [pod],
                  "authentication.kubernetes.io/pod-uid": [podUid],
                },
        },
        bound: pod === null ? undefined : `${namespace}/${pod}`,
      });
      return token;
    },
    delegatorToken: () =>
      cluster.token({ namespace: "sallyport", serviceAccount: "sallyport", pod: "sallyport-0" }),
    deletePod: (namespace, pod) => void deleted.add(`${namespace}/${pod}`),
    asked: [],
    refused: [],
    reviewed: [],
    misbehave: undefined,
    async close() {
      const closed = new Promise((resolve) => {
        server.close(resolve);
      });
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return cluster;
}

const uids = new Map<string, string>();

/** The same object keeps its uid. */
export function uidOf(object: string): string {
  const uid = uids.get(object) ?? randomUUID();
  uids.set(object, uid);
  return uid;
}

function claimsOf(token: string): { readonly aud: readonly string[]; readonly exp: number } {
  const [, payload = ""] = token.split(".");
  return JSON.parse(Buffer.from(payload, "base64url").toString()) as ReturnType<typeof claimsOf>;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text);
}

function send(
  response: ServerResponse,
  head: { readonly status: number; readonly type: string; readonly maxAge?: number },
  body: object,
): void {
  const { status, type, maxAge } = head;
  const control = maxAge === undefined ? "no-cache, private" : `public, max-age=${maxAge}`;
  response.writeHead(status, { "content-type": type, "cache-control": control });
  response.end(JSON.stringify(body));
}
