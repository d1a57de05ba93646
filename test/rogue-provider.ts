/**
 * An OpenID provider on loopback that does as it is told: honest as it stands, and each of its answers can be
 * replaced by a wrong one, signed with its own good key. What real providers never do is what it is for.
 */
import { hash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { keySetOf, signToken, testKey, type TestKey } from "./issuer.ts";

export const ROGUE = { clientId: "sallyport", clientSecret: "rogue-client-secret-canary" } as const;

export type Claims = Readonly<Record<string, unknown>>;

/** What it does otherwise than an honest one. Each may be set at any time. */
export interface Roguery {
  /** Changes the discovery document. */
  document?: (honest: Claims) => Claims;
  /** Changes the parameters that the browser comes back with. */
  callback?: (honest: URLSearchParams) => void;
  /** Changes the claims of the ID token; a claim that becomes undefined is left out. */
  claims?: (honest: Claims) => Claims;
  /** Makes the ID token itself. */
  idToken?: (claims: Claims) => string;
  /** Changes the token endpoint's answer; `$status` becomes its status. */
  answer?: (honest: Claims) => Claims;
  /** Takes the token endpoint's whole answer over. */
  token?: (response: ServerResponse) => void;
  userinfo?: (honest: Claims) => Claims;
}

/** A request to one of its endpoints, as it came. */
export interface SeenRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly form: URLSearchParams;
}

export interface RogueProvider {
  readonly issuer: string;
  readonly key: TestKey;
  /** What is in force now; assign to its members. */
  readonly roguery: Roguery;
  /** Requests to the token, pushed request and userinfo endpoints, in order. */
  readonly requests: readonly SeenRequest[];
  /** Where the browser goes back to: what an authorization request is answered with, at once. */
  authorize(url: string, subject?: string): Promise<string>;
  /** A signed logout token; claims that are undefined are left out. */
  logoutToken(claims: Claims, header?: Claims): string;
  close(): Promise<void>;
}

interface Login {
  readonly nonce: string;
  readonly challenge: string;
  readonly redirectUri: string;
  readonly subject: string;
  readonly clientId: string;
  readonly acr: string | undefined;
}

export interface RogueOptions {
  /** Seconds since the epoch by its clock; the system's when left out. */
  readonly now?: () => number;
  readonly name?: string;
}

export async function startRogueProvider(options: RogueOptions = {}): Promise<RogueProvider> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const rogue = new Rogue(server, options);
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    rogue.answer(request, response).catch(() => response.destroy());
  });
  return rogue;
}

class Rogue implements RogueProvider {
  readonly issuer: string;
  readonly key: TestKey;
  readonly roguery: Roguery = {};
  readonly requests: SeenRequest[] = [];
  readonly #server: Server;
  readonly #now: () => number;
  readonly #codes = new Map<string, Login>();
  readonly #refreshTokens = new Map<string, Login>();
  readonly #pushed = new Map<string, URLSearchParams>();
  readonly #accessTokens = new Map<string, string>();
  #count = 0;

  constructor(server: Server, { now, name = "rogue" }: RogueOptions) {
    const address = server.address();
    if (address === null || typeof address === "string") throw new TypeError("not listening");
    this.issuer = `http://127.0.0.1:${address.port}`;
    this.key = testKey(`${name}-key`, "ES256");
    this.#server = server;
    this.#now = now ?? (() => Date.now() / 1000);
  }

  async authorize(url: string, subject = "ada"): Promise<string> {
    const asked = new URL(url);
    const query =
      this.#pushed.get(asked.searchParams.get("request_uri") ?? "") ?? asked.searchParams;
    const code = `code-${(this.#count += 1)}`;
    this.#codes.set(code, {
      nonce: query.get("nonce") ?? "",
      challenge: query.get("code_challenge") ?? "",
      redirectUri: query.get("redirect_uri") ?? "",
      subject,
      clientId: query.get("client_id") ?? "",
      acr: query.get("acr_values")?.split(" ")[0],
    });
    const back = new URLSearchParams({ code, state: query.get("state") ?? "", iss: this.issuer });
    this.roguery.callback?.(back);
    return `${query.get("redirect_uri")}?${back.toString()}`;
  }

  logoutToken(claims: Claims, header: Claims = {}): string {
    const now = Math.floor(this.#now());
    return signToken(
      this.key,
      { alg: this.key.algorithm, kid: this.key.kid, typ: "logout+jwt", ...header },
      {
        iss: this.issuer,
        aud: ROGUE.clientId,
        iat: now,
        exp: now + 120,
        jti: `logout-${(this.#count += 1)}`,
        events: { "http://schemas.openid.net/event/backchannel-logout": {} },
        ...claims,
      },
    );
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.issuer);
    const form = new URLSearchParams(await bodyOf(request));
    const { authorization } = request.headers;
    if (url.pathname === "/.well-known/openid-configuration") return this.#document(response);
    if (url.pathname === "/jwks") return sendJson(response, 200, keySetOf(this.key));
    if (url.pathname === "/authorize") {
      response.writeHead(303, { location: await this.authorize(url.href) });
      response.end();
      return;
    }
    this.requests.push({ path: url.pathname, authorization, form });
    if (url.pathname === "/par") return this.#push(form, response);
    if (url.pathname === "/token") return this.#token(form, response);
    if (url.pathname === "/userinfo") return this.#userinfo(authorization, response);
    return sendJson(response, 404, {});
  }

  #document(response: ServerResponse): void {
    const honest = {
      issuer: this.issuer,
      authorization_endpoint: `${this.issuer}/authorize`,
      token_endpoint: `${this.issuer}/token`,
      userinfo_endpoint: `${this.issuer}/userinfo`,
      end_session_endpoint: `${this.issuer}/end`,
      jwks_uri: `${this.issuer}/jwks`,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"],
      id_token_signing_alg_values_supported: ["ES256"],
      authorization_response_iss_parameter_supported: true,
    };
    sendJson(response, 200, this.roguery.document?.(honest) ?? honest);
  }

  #push(form: URLSearchParams, response: ServerResponse): void {
    const uri = `urn:ietf:params:oauth:request_uri:${(this.#count += 1)}`;
    this.#pushed.set(uri, form);
    sendJson(response, 201, { request_uri: uri, expires_in: 60 });
  }

  #token(form: URLSearchParams, response: ServerResponse): void {
    if (this.roguery.token !== undefined) return this.roguery.token(response);
    const refresh = form.get("grant_type") === "refresh_token";
    const [kept, name] = refresh
      ? ([this.#refreshTokens, form.get("refresh_token") ?? ""] as const)
      : ([this.#codes, form.get("code") ?? ""] as const);
    const login = kept.get(name);
    kept.delete(name);
    const verifier = hash("sha256", form.get("code_verifier") ?? "", "base64url");
    if (login === undefined || (!refresh && login.challenge !== verifier)) {
      return sendJson(response, 400, { error: "invalid_grant" });
    }
    const accessToken = `at-${(this.#count += 1)}`;
    const refreshToken = `rt-${(this.#count += 1)}`;
    this.#refreshTokens.set(refreshToken, login);
    this.#accessTokens.set(accessToken, login.subject);
    const honest: Record<string, unknown> = {
      access_token: accessToken,
      token_type: "Bearer",
      expires_in: 300,
      refresh_token: refreshToken,
      id_token: this.#idToken(login, accessToken, refresh),
    };
    const { $status = 200, ...body } = this.roguery.answer?.(honest) ?? honest;
    sendJson(response, Number($status), body);
  }

  #idToken(login: Login, accessToken: string, refresh: boolean): string {
    const now = Math.floor(this.#now());
    const digest = hash("sha256", accessToken, "buffer");
    const honest: Claims = {
      iss: this.issuer,
      sub: login.subject,
      aud: login.clientId === "" ? ROGUE.clientId : login.clientId,
      iat: now,
      exp: now + 300,
      auth_time: now,
      sid: `sid-${login.subject}`,
      at_hash: digest.subarray(0, 16).toString("base64url"),
      ...(refresh ? {} : { nonce: login.nonce }),
      ...(login.acr === undefined ? {} : { acr: login.acr }),
    };
    const claims = this.roguery.claims?.(honest) ?? honest;
    if (this.roguery.idToken !== undefined) return this.roguery.idToken(claims);
    return signToken(this.key, { alg: this.key.algorithm, kid: this.key.kid, typ: "JWT" }, claims);
  }

  #userinfo(authorization: string | undefined, response: ServerResponse): void {
    const subject = this.#accessTokens.get(authorization?.replace(/^Bearer /i, "") ?? "");
    if (subject === undefined) return sendJson(response, 401, { error: "invalid_token" });
    const honest = { sub: subject, email: `${subject}@example.com`, iss: "https://not.me" };
    sendJson(response, 200, this.roguery.userinfo?.(honest) ?? honest);
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(body));
}
