/**
 * A provider that answers introspection requests (RFC 7662) as a careful one does: it knows its clients
 * by secret, by what their key signs, or by their certificate, and says nothing to anybody else. It can
 * also be told to misbehave.
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";

export interface ProviderOptions {
  /** 0 when left out: the system chooses. */
  readonly port?: number;
  /** Client id → how it is known. */
  readonly clients: Readonly<Record<string, KnownClient>>;
  /** With certificate and key it speaks TLS; with `ca` it asks for certificates. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
}

export type KnownClient =
  | { readonly secret: string; readonly method: "basic" | "post" }
  /** An ES256 key. */
  | { readonly publicKey: KeyObject }
  /** Any certificate of `tls.ca`. */
  | { readonly certificate: "any" };

/** Takes a request in place of the provider. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => void;

export interface IntrospectionProvider {
  readonly origin: string;
  /** Token → what it tells about it; all others are inactive. */
  readonly tokens: Map<string, object>;
  /** Tokens that it was asked about by one of its clients, in order. */
  readonly asked: string[];
  /** Why it refused somebody, in order. */
  readonly refused: string[];
  misbehave: Misbehaviour | undefined;
  close(): Promise<void>;
}

export async function startIntrospectionProvider(
  options: ProviderOptions,
): Promise<IntrospectionProvider> {
  const { tls, port = 0 } = options;
  const seenAssertions = new Set<string>();
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    if (provider.misbehave !== undefined) {
      provider.misbehave(request, response);
      return;
    }
    void readForm(request).then((form) => answer(request, response, form));
  };
  const server: Server =
    tls === undefined
      ? createServer(listener)
      : createTlsServer({ ...tls, requestCert: tls.ca !== undefined }, listener);
  const sockets = new Set<Socket>();
  server.on(tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));

  function answer(request: IncomingMessage, response: ServerResponse, form: URLSearchParams): void {
    const refusal = whyRefused(request, form);
    if (refusal !== undefined) {
      provider.refused.push(refusal);
      json(response, 401, { error: "invalid_client" });
      return;
    }
    const token = form.get("token") ?? "";
    provider.asked.push(token);
    const told = provider.tokens.get(token);
    json(response, 200, told === undefined ? { active: false } : { active: true, ...told });
  }

  function whyRefused(request: IncomingMessage, form: URLSearchParams): string | undefined {
    if (request.method !== "POST") return "not a POST";
    if (request.headers["content-type"] !== "application/x-www-form-urlencoded") return "no form";
    if (form.getAll("token").length !== 1) return "not one token";
    const { authorization } = request.headers;
    const [basicId, basicSecret] = basicCredentials(authorization);
    const id = basicId ?? form.get("client_id") ?? "";
    const known = options.clients[id];
    if (known === undefined) return "an unknown client";
    if ("secret" in known) {
      const shown = known.method === "basic" ? basicSecret : form.get("client_secret");
      return shown === known.secret ? undefined : "a wrong secret";
    }
    if (authorization !== undefined || form.has("client_secret")) return "two ways at once";
    if ("certificate" in known) {
      // Bun's HTTPS server does not say whose it is; its authority has issued no other.
      return (request.socket as TLSSocket).authorized ? undefined : "no certificate of ours";
    }
    return assertionFault(form, { id, key: known.publicKey });
  }

  /** RFC 7523 section 3. */
  function assertionFault(
    form: URLSearchParams,
    { id, key }: { readonly id: string; readonly key: KeyObject },
  ): string | undefined {
    const type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    if (form.get("client_assertion_type") !== type) return "a wrong type of assertion";
    const [header = "", payload = "", signature = ""] = (form.get("client_assertion") ?? "").split(
      ".",
    );
    const good = verify(
      "sha256",
      Buffer.from(`${header}.${payload}`),
      {
        key: createPublicKey(key.export({ type: "spki", format: "pem" })),
        dsaEncoding: "ieee-p1363",
      },
      Buffer.from(signature, "base64url"),
    );
    if (!good) return "a wrong signature";
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as {
      readonly [name: string]: unknown;
    };
    const { iss, sub, aud, exp, jti } = claims;
    if (iss !== id || sub !== id) return "an assertion of another client";
    if (aud !== provider.origin && aud !== `${provider.origin}/introspect`) {
      return "an assertion for another provider";
    }
    if (typeof exp !== "number" || exp * 1000 < Date.now()) return "an assertion that is over";
    if (typeof jti !== "string" || seenAssertions.has(jti)) return "an assertion that was seen";
    seenAssertions.add(jti);
    return undefined;
  }

  const scheme = tls === undefined ? "http" : "https";
  const provider: IntrospectionProvider = {
    origin: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tokens: new Map(),
    asked: [],
    refused: [],
    misbehave: undefined,
    async close() {
      if (!server.listening) return;
      const closed = new Promise((resolve) => {
        server.close(resolve);
      });
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return provider;
}

/** RFC 6749 section 2.3.1: both parts are in form encoding within the base64. */
function basicCredentials(authorization = ""): readonly string[] {
  const [, encoded] = /^Basic ([A-Za-z0-9+/]+=*)$/.exec(authorization) ?? [];
  if (encoded === undefined) return [];
  const [id = "", secret = ""] = Buffer.from(encoded, "base64").toString().split(":");
  return [decodeForm(id), decodeForm(secret)];
}

function decodeForm(text: string): string {
  return new URLSearchParams(`x=${text}`).get("x") ?? "";
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return new URLSearchParams(text);
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(body));
}
