/**
 * A real, certified OpenID provider (`oidc-provider`) on loopback: discovery, key set, client
 * credentials, and authorization code with PKCE behind a login page that checks a password.
 *
 * It is a provider for a demo: keys and sessions live in memory, and anybody who can reach its port
 * can log in with the passwords of `cast.ts`.
 */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Provider, type ProviderContext, type ProviderToken } from "oidc-provider";
import { createMemoryAdapter } from "oidc-provider/lib/adapters/memory_adapter.js";
import {
  AUDIENCE,
  GATE_CLIENT,
  LOGIN_CLIENT,
  LOGIN_REDIRECT,
  OLD_AUDIENCE,
  OTHER_AUDIENCE,
  PEOPLE,
  WORKLOADS,
  type Algorithm,
} from "./cast.ts";
import { createSigningKeys } from "./signing-keys.ts";

const LIMITS = {
  /** Bytes of a login form: a name and a password. */
  form: 4096,
} as const;

/** Seconds. */
const TTL = { code: 60, session: 3600 } as const;

export interface RunningProvider {
  readonly issuer: string;
  /** Client id → secret, made anew at each start. */
  readonly secrets: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Starts a provider with keys of its own. `port` 0 lets the system choose; `gate` is the gate's origin. */
export async function startProvider(
  port: number,
  gate = "http://127.0.0.1",
): Promise<RunningProvider> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const issuer = `http://127.0.0.1:${portOf(server)}`;
  const secrets = Object.fromEntries(
    [...WORKLOADS.map(({ id }) => id), GATE_CLIENT].map((id) => [
      id,
      randomBytes(24).toString("base64url"),
    ]),
  );
  const provider = new Provider(issuer, configuration(secrets, gate));
  provider.on("server_error", (_context, error) => console.error("provider:", error));
  const callback = provider.callback();
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    if (request.url?.startsWith("/interaction/") !== true) callback(request, response);
    else void answerLogin(provider, request, response);
  });
  return { issuer, secrets, close: () => closeServer(server) };
}

function configuration(secrets: Readonly<Record<string, string>>, gate: string): object {
  return {
    adapter: createMemoryAdapter(),
    jwks: { keys: createSigningKeys() },
    cookies: { keys: [randomBytes(24).toString("base64url")] },
    clients: [
      ...WORKLOADS.map(({ id, bound = false }) => ({
        client_id: id,
        dpop_bound_access_tokens: bound,
        client_secret: secrets[id],
        grant_types: ["client_credentials"],
        response_types: [],
        redirect_uris: [],
        token_endpoint_auth_method: "client_secret_basic",
      })),
      {
        client_id: LOGIN_CLIENT,
        redirect_uris: [LOGIN_REDIRECT],
        token_endpoint_auth_method: "none",
      },
      {
        client_id: GATE_CLIENT,
        client_secret: secrets[GATE_CLIENT],
        redirect_uris: [`${gate}/.sallyport/callback/people`],
        post_logout_redirect_uris: [`${gate}/.sallyport/logout`],
        token_endpoint_auth_method: "client_secret_basic",
      },
    ],
    // The gate reads who somebody is from the ID token.
    claims: { openid: ["sub", "kind", "roles", "ext"] },
    conformIdTokenClaims: false,
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: { enabled: true },
      introspection: {
        enabled: true,
        allowedPolicy: (_context: unknown, client: { readonly clientId: string }) =>
          client.clientId === GATE_CLIENT,
      },
      resourceIndicators: { enabled: true, defaultResource: () => AUDIENCE, getResourceServerInfo },
      rpInitiatedLogout: { enabled: true },
      userinfo: { enabled: false },
    },
    // The login page and its scripts are of one origin; no other page may ask.
    clientBasedCORS: () => false,
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, ...PEOPLE.find((person) => person.id === id)?.claims }),
    }),
    loadExistingGrant,
    extraTokenClaims,
    ttl: {
      AccessToken: accessTokenLifetime,
      ClientCredentials: accessTokenLifetime,
      IdToken: TTL.session,
      AuthorizationCode: TTL.code,
      Interaction: TTL.code,
      Session: TTL.session,
      Grant: TTL.session,
    },
  };
}

/** Access tokens are JWTs (RFC 9068) for the resource that was asked for (RFC 8707). */
function getResourceServerInfo(
  _context: unknown,
  resource: string,
  client: { readonly clientId: string },
): object {
  if (![AUDIENCE, OTHER_AUDIENCE, OLD_AUDIENCE].includes(resource)) {
    throw new Error("unknown resource");
  }
  const workload = WORKLOADS.find(({ id }) => id === client.clientId);
  const alg: Algorithm = workload?.algorithm ?? "RS256";
  return {
    scope: "read write",
    audience: resource,
    accessTokenTTL: workload?.lifetime ?? TTL.session,
    accessTokenFormat: resource === OLD_AUDIENCE ? "opaque" : "jwt",
    jwt: { sign: { alg } },
  };
}

function accessTokenLifetime(_context: unknown, token: ProviderToken): number {
  return token.resourceServer?.accessTokenTTL ?? TTL.session;
}

function extraTokenClaims(_context: unknown, token: ProviderToken): object | undefined {
  const known =
    token.accountId === undefined
      ? WORKLOADS.find(({ id }) => id === token.clientId)
      : PEOPLE.find(({ id }) => id === token.accountId);
  return known?.claims;
}

/** The company's own console: whoever has logged in is not asked for consent as well. */
async function loadExistingGrant(context: ProviderContext): Promise<object> {
  const { client, session, provider } = context.oidc;
  const grant = new provider.Grant({ accountId: session.accountId, clientId: client.clientId });
  grant.addOIDCScope("openid");
  grant.addResourceScope(AUDIENCE, "read write");
  await grant.save();
  return grant;
}

async function answerLogin(
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    if (request.method !== "POST") return sendPage(response, 200, "");
    const form = new URLSearchParams(await readForm(request));
    const person = PEOPLE.find(({ id }) => id === form.get("login"));
    if (person === undefined || person.password !== form.get("password")) {
      return sendPage(response, 401, "<p>Wrong name or password.</p>");
    }
    await provider.interactionFinished(request, response, { login: { accountId: person.id } });
  } catch {
    // The interaction is unknown or its time is over; its page says no more than that.
    if (!response.headersSent) sendPage(response, 400, "<p>This login is over. Start again.</p>");
  }
}

async function readForm(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > LIMITS.form) throw new RangeError("the form is too long");
  }
  return text;
}

function sendPage(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "text/html", "cache-control": "no-store" });
  response.end(`<!doctype html><title>Demo login</title>${message}
<form method="post">
  <label>Name <input name="login" required></label>
  <label>Password <input name="password" type="password" required></label>
  <button>Log in</button>
</form>\n`);
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("not listening");
  return address.port;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
