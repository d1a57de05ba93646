/**
 * A certified OpenID provider (`oidc-provider`) on loopback, whose people log in with a password, and with a
 * second factor where a stronger login is asked for. For examples and tests: keys and sessions live in memory.
 */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Provider, type ProviderContext } from "oidc-provider";
import { createMemoryAdapter } from "oidc-provider/lib/adapters/memory_adapter.js";

/** Authentication context of a login with a second factor. */
export const SECOND_FACTOR = "urn:example:second-factor";
export const PASSWORD = "urn:example:password";

/** Everybody's password and second factor; it is an example. */
export const LOGIN = { password: "let me in", code: "123456" } as const;

export interface LoginProviderOptions {
  /** 0 lets the system choose. */
  readonly port: number;
  readonly client: { readonly id: string; readonly secret: string };
  /** What the provider knows the proxy by: callback, where to come back to, where it says that somebody left. */
  readonly redirectUri: string;
  readonly postLogoutRedirectUri: string;
  readonly backchannelLogoutUri: string;
  /** Clients beside that one, as `oidc-provider` takes them. */
  readonly clients?: readonly object[];
  /** Seconds that an access token lasts. */
  readonly accessSeconds?: number;
}

export interface LoginProvider {
  readonly issuer: string;
  close(): Promise<void>;
}

export async function startLoginProvider(options: LoginProviderOptions): Promise<LoginProvider> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("not listening");
  const issuer = `http://127.0.0.1:${address.port}`;
  const provider = new Provider(issuer, configuration(options));
  provider.on("server_error", (_context, error) => console.error("provider:", error));
  const callback = provider.callback();
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    if (request.url?.startsWith("/interaction/") !== true) callback(request, response);
    else void answerLogin(provider, request, response);
  });
  return {
    issuer,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function configuration(options: LoginProviderOptions): object {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = { ...privateKey.export({ format: "jwk" }), alg: "ES256", use: "sig", kid: "one" };
  const seconds = options.accessSeconds ?? 300;
  return {
    adapter: createMemoryAdapter(),
    jwks: { keys: [key] },
    cookies: { keys: [randomBytes(24).toString("base64url")] },
    clients: [
      {
        client_id: options.client.id,
        client_secret: options.client.secret,
        redirect_uris: [options.redirectUri],
        post_logout_redirect_uris: [options.postLogoutRedirectUri],
        backchannel_logout_uri: options.backchannelLogoutUri,
        backchannel_logout_session_required: true,
        grant_types: ["authorization_code", "refresh_token"],
        id_token_signed_response_alg: "ES256",
        token_endpoint_auth_method: "client_secret_basic",
      },
      ...(options.clients ?? []),
    ],
    acrValues: [PASSWORD, SECOND_FACTOR],
    claims: {
      openid: ["sub", "acr", "auth_time", "sid"],
      profile: ["name", "groups"],
    },
    conformIdTokenClaims: false,
    features: {
      devInteractions: { enabled: false },
      claimsParameter: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource },
    },
    clientBasedCORS: () => false,
    // Without its guard against addresses of loopback: the proxy that it tells of logouts is there too.
    fetch: (url: string | URL, { method, headers, body, signal }: RequestInit) =>
      fetch(url, { method, headers, body, signal, redirect: "manual" } as RequestInit),
    issueRefreshToken: () => true,
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, name: `${id} of Example`, groups: ["staff"] }),
    }),
    loadExistingGrant,
    ttl: {
      AccessToken: seconds,
      IdToken: 300,
      AuthorizationCode: 60,
      Interaction: 600,
      Session: 3600,
      Grant: 3600,
      RefreshToken: 3600,
    },
  };
}

/** The company's own proxy: whoever has logged in is not asked for consent as well. */
async function loadExistingGrant(context: ProviderContext): Promise<object> {
  const { client, session, provider } = context.oidc;
  const grant = new provider.Grant({ accountId: session.accountId, clientId: client.clientId });
  grant.addOIDCScope("openid profile offline_access");
  await grant.save();
  return grant;
}

/** Nobody is asked whether the logout is meant: the proxy's own page has asked. */
function logoutSource(context: { body: unknown }, form: string): void {
  context.body = `<!doctype html><title>Logging out</title>${form}<button form="op.logoutForm" name="logout" value="yes">Log out</button>`;
}

async function answerLogin(
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    if (request.method !== "POST") return sendPage(response, 200, "");
    const form = new URLSearchParams(await readForm(request));
    const login = form.get("login") ?? "";
    if (login === "" || form.get("password") !== LOGIN.password) {
      return sendPage(response, 401, "<p>Wrong name or password.</p>");
    }
    const acr = form.get("code") === LOGIN.code ? SECOND_FACTOR : PASSWORD;
    await provider.interactionFinished(request, response, { login: { accountId: login, acr } });
  } catch {
    if (!response.headersSent) sendPage(response, 400, "<p>This login is over. Start again.</p>");
  }
}

async function readForm(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > 4096) throw new RangeError("the form is too long");
  }
  return text;
}

function sendPage(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "text/html", "cache-control": "no-store" });
  response.end(`<!doctype html><title>Example login</title>${message}
<form method="post">
  <label>Name <input name="login" required></label>
  <label>Password (${LOGIN.password}) <input name="password" type="password" required></label>
  <label>Second factor (${LOGIN.code}; may be left out) <input name="code"></label>
  <button>Log in</button>
</form>\n`);
}
