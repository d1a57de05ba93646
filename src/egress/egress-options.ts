/**
 * The `egress` section: the sidecar beside a caller. Who we are to the authority, where callers on this machine
 * reach us, and which services they reach through us. Refuses what would send a key, or a request of whoever
 * can reach the port, where nobody has said that it may go.
 */
import { z } from "zod";
import { routeSchema } from "../gate/route-options.ts";
import { listenerSchema } from "../http/listener-options.ts";
import { serviceSchema as upstreamSchema } from "../http/service-options.ts";
import { ACCESS_DETAIL_TYPE } from "../model/access-detail.ts";
import { addressSchema, nameSchema } from "../model/options.ts";
import { isLoopbackHost } from "../wire/loopback.ts";
import { isSafeUrl } from "./safe-url.ts";

const LIMITS = {
  path: 4096,
  /** Listeners: a process has a file descriptor and a name for each. */
  listeners: 256,
  services: 256,
  /** Scopes of one key, and their characters: RFC 6749 sets none, and a token is a header field in the end. */
  scopes: 64,
  scopeChars: 128,
  details: 32,
  detailNames: 64,
} as const;

const fileSchema = z.string().min(1, "a path").max(LIMITS.path);

const safeUrl = z
  .string()
  .max(2048)
  .refine(isSafeUrl, "an https: URL, or http: on loopback, without user and fragment");

export const egressAuthoritySchema = z
  .strictObject({
    issuer: safeUrl
      .refine((text) => URL.parse(text)?.search === "", "without a query")
      .optional()
      .describe(
        "Issuer of the keys, exactly as its metadata says it (`/.well-known/oauth-authorization-server`, RFC 8414), which names the token endpoint. Either this or `tokenEndpoint`.",
      ),
    tokenEndpoint: safeUrl
      .optional()
      .describe("URL of the token endpoint, where no metadata is to be asked for."),
    ca: fileSchema
      .optional()
      .describe(
        "PEM file with the authorities that the token endpoint's certificate must lead to. Those of the runtime (the public web) when left out. Read again when it changes.",
      ),
  })
  .refine(
    ({ issuer, tokenEndpoint }) => (issuer === undefined) !== (tokenEndpoint === undefined),
    "either issuer or tokenEndpoint",
  )
  .readonly();

const WAYS = ["certificate", "workloadApi", "tokenFile", "privateKey"] as const;

export const egressIdentitySchema = z
  .strictObject({
    certificate: fileSchema
      .optional()
      .describe(
        "PEM file with the certificate of this workload, with those between it and the root: it is shown in the handshake (RFC 8705). Read again when it changes.",
      ),
    key: fileSchema.optional().describe("PEM file with the private key of `certificate`."),
    workloadApi: z
      .literal(true)
      .optional()
      .describe(
        "In place of files: the X.509-SVID that `workloadApi` (at the top) brings is shown in the handshake.",
      ),
    tokenFile: fileSchema
      .optional()
      .describe(
        "File with a token that says who this workload is, such as the service account token that Kubernetes projects into a pod. It goes as `client_assertion` (RFC 7523) and is read again when it is needed.",
      ),
    clientId: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .describe(
        "`client_id` at the authority: needed with `privateKey`; beside a certificate where the client is registered there by it.",
      ),
    privateKey: fileSchema
      .optional()
      .describe(
        "PEM file with the private key of that client, for `private_key_jwt` (RFC 7523). Read again when it changes.",
      ),
    keyId: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .describe("`kid` of that key, where the authority knows several of this client."),
  })
  .superRefine((identity, context) => {
    const issue = (path: string, message: string): void =>
      context.addIssue({ code: "custom", path: [path], message });
    const given = WAYS.filter((way) => identity[way] !== undefined);
    if (given.length !== 1) {
      const message =
        "exactly one of certificate with key, workloadApi: true, tokenFile, or clientId with privateKey";
      context.addIssue({ code: "custom", message });
    }
    const { certificate, key, clientId, privateKey, keyId, tokenFile } = identity;
    if ((certificate === undefined) !== (key === undefined)) {
      issue(key === undefined ? "key" : "certificate", "certificate and key, or neither");
    }
    if (privateKey !== undefined && clientId === undefined) {
      issue("clientId", "clientId: the authority has to know whose key it is");
    }
    if (tokenFile !== undefined && clientId !== undefined) {
      issue("clientId", "no clientId beside tokenFile: the token says who it is");
    }
    if (keyId !== undefined && privateKey === undefined) {
      issue("keyId", "no keyId without privateKey");
    }
  })
  .readonly();

export const egressListenerSchema = z
  .strictObject({
    name: nameSchema.describe(
      "Name of the listener, and of who calls there: in records the caller is the workload `local/<name>`.",
    ),
    address: addressSchema
      .optional()
      .describe(
        "Address host:port on loopback. Callers have to send `sallyport-egress: 1`, so that no page in a browser of this machine can call through it. Either this or `socket`.",
      ),
    socket: z
      .string()
      .min(1, "a path, such as run/egress/out.sock")
      .max(LIMITS.path)
      .optional()
      .describe(
        "Path of a Unix socket of mode 0600. Its folder is made with mode 0700 where it is absent; one that others can enter is refused.",
      ),
    service: nameSchema
      .optional()
      .describe(
        "The one service of `allow` that this listener is for: Host may then also be that of the listener itself (localhost, an address of loopback). By Host when left out.",
      ),
    insecurePlaintext: z
      .literal(true)
      .optional()
      .describe(
        "Lets `address` be another than of loopback: whoever reaches it calls in this workload's name, and who is on the way reads all. Warned about by check.",
      ),
    http2: listenerSchema.shape.http2,
    limits: listenerSchema.shape.limits,
  })
  .superRefine(({ address, socket, insecurePlaintext }, context) => {
    const issue = (path: string, message: string): void =>
      context.addIssue({ code: "custom", path: [path], message });
    if ((address === undefined) === (socket === undefined)) {
      context.addIssue({ code: "custom", message: "either address or socket" });
      return;
    }
    const open = address !== undefined && !isLoopbackHost(hostOf(address));
    if (open && insecurePlaintext !== true) {
      issue(
        "address",
        "an address of loopback, such as 127.0.0.1:7070; or insecurePlaintext: true",
      );
    }
    if (!open && insecurePlaintext === true) {
      issue("insecurePlaintext", "it is on this machine already; leave it out");
    }
  })
  .readonly();

const namesSchema = z.array(z.string().min(1).max(128)).min(1).max(LIMITS.detailNames).optional();

const detailSchema = z
  .strictObject({
    type: z
      .literal(ACCESS_DETAIL_TYPE)
      .default(ACCESS_DETAIL_TYPE)
      .describe("`sallyport`, which may be left out."),
    services: namesSchema.describe("Names of services."),
    routes: namesSchema.describe("Names of routes."),
    methods: namesSchema.describe("Methods, in upper case."),
    operations: namesSchema.describe(
      "Ids of actions of described services, such as `billing:getInvoice`.",
    ),
  })
  .readonly();

/** RFC 6749 section 3.3. */
const scopeSchema = z
  .string()
  .max(LIMITS.scopeChars)
  .regex(
    /^[\x21\x23-\x5b\x5d-\x7e]+$/,
    "a scope: printable ASCII without spaces, quotes and backslashes",
  );

const reached = upstreamSchema.omit({ hash: true, balance: true }).shape;
const passed = routeSchema.unwrap().shape;

export const egressServiceSchema = z
  .strictObject({
    host: z
      .string()
      .max(253)
      .regex(/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/, "a host in lower case, such as billing.internal")
      .describe("Host by which callers ask for the service, without a port."),
    origin: z
      .string()
      .refine(isOrigin, "an origin such as https://billing.internal:8443, without a path")
      .optional()
      .describe(
        "`publicOrigin` of the service's ingress proxy: what Host says there and what proofs (DPoP) are made for. `https://<host>` when left out, `http://<host>` where its endpoints are without TLS.",
      ),
    ...reached,
    balance: z
      .enum(["round-robin", "least-requests", "random"])
      .default("round-robin")
      .describe(
        "How an endpoint is chosen: `round-robin`, `least-requests` or `random`, by weight.",
      ),
    scopes: z
      .array(scopeSchema, "a list of scopes")
      .max(LIMITS.scopes)
      .refine((scopes) => new Set(scopes).size === scopes.length, "each scope once")
      .prefault([])
      .describe("Scopes that the key is asked for with. None when left out."),
    bind: z
      .enum(["dpop", "mtls", "none"])
      .default("dpop")
      .describe(
        "What the key is bound to, so that it is of no use in other hands. `dpop` (when left out): a key of this process, with a proof for each request. `mtls`: the certificate of `identity`, which is shown to the service too. `none`: nothing; not with a certificate in `identity`, to which the authority binds what it issues.",
      ),
    details: z
      .array(detailSchema, "a list of details")
      .min(1, "at least one, or none at all")
      .max(LIMITS.details)
      .optional()
      .describe(
        "Narrows the key (`authorization_details`, RFC 9396): it is good for what fits one of them. Each member names what a request has to be; one that is left out says nothing.",
      ),
    insecurePlaintext: z
      .literal(true)
      .optional()
      .describe(
        "Lets endpoints elsewhere than on loopback be reached without TLS: who is on the way gets the key, and can say that he is the service. Warned about by check.",
      ),
    timeout: passed.timeout.describe(
      "For the whole exchange, from 10ms to 24h, 5m when left out; with `lifetime`, to the head of the answer.",
    ),
    responseTimeout: passed.responseTimeout.describe(
      "From the end of the request to the head of the answer, from 10ms to 24h, 30s when left out; beyond it 504.",
    ),
    idleTimeout: passed.idleTimeout.describe(
      "How long no byte may flow in either direction, from 10ms to 24h, 60s when left out.",
    ),
    lifetime: passed.lifetime.describe(
      "Says that answers may be streams, and how long one may go on, from 1s to 30d, or `none`. It bounds upgraded connections too.",
    ),
    upgrades: passed.upgrades.describe(
      "Protocols that a request may ask to switch to: `websocket`. None when left out.",
    ),
  })
  .superRefine((service, context) => {
    const issue = (path: string, message: string): void =>
      context.addIssue({ code: "custom", path: [path], message });
    const { endpoints, insecurePlaintext, tls, bind } = service;
    const secure = endpoints.every((endpoint) => endpoint.secure === true);
    const open = endpoints.some((one) => one.secure !== true && !isLoopbackHost(one.host));
    if (open && insecurePlaintext !== true) {
      issue("endpoints", "https: or h2: elsewhere than on loopback; or insecurePlaintext: true");
    }
    if (!open && insecurePlaintext === true) {
      issue("insecurePlaintext", "every endpoint is by TLS or on this machine; leave it out");
    }
    if (tls?.insecureSkipVerify === true) {
      const message =
        "the service has to be verified before it gets a key: tls: { ca }, or tls: { serverId }";
      context.addIssue({ code: "custom", path: ["tls", "insecureSkipVerify"], message });
    }
    if (bind === "mtls" && !(secure && (tls?.identity ?? tls?.certificate) !== undefined)) {
      issue(
        "bind",
        "mtls shows our certificate to the service: endpoints of https: or h2:, and tls: { certificate, key } or tls: { identity: workload-api }",
      );
    }
  })
  .readonly();

export const egressSchema = z
  .strictObject({
    authority: egressAuthoritySchema.describe("Who issues the keys."),
    identity: egressIdentitySchema.describe("Who we are to it: exactly one way."),
    listeners: z
      .array(egressListenerSchema, "a list of listeners")
      .min(1, "at least one listener")
      .max(LIMITS.listeners)
      .describe("Where callers on this machine reach us."),
    allow: z
      .record(nameSchema, egressServiceSchema)
      .refine((allow) => Object.keys(allow).length <= LIMITS.services, `at most ${LIMITS.services}`)
      .describe(
        "The services that may be reached, by their names at the authority (`audience` of the key). What is not here is answered 404.",
      ),
  })
  .superRefine((egress, context) => {
    const issue = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: "custom", path, message });
    const names = new Set(Object.keys(egress.allow));
    if (names.size === 0) issue(["allow"], "at least one service");
    egress.listeners.forEach(({ service }, index) => {
      if (service === undefined || names.has(service)) return;
      issue(["listeners", index, "service"], `a service of allow: ${[...names].join(", ")}`);
    });
    const hosts = new Map<string, string>();
    for (const [name, { host, bind }] of Object.entries(egress.allow)) {
      const other = hosts.get(host);
      if (other !== undefined)
        issue(["allow", name, "host"], `another host: "${other}" has this one`);
      hosts.set(host, name);
      const { certificate, workloadApi } = egress.identity;
      const shown = certificate !== undefined || workloadApi === true;
      if (bind === "mtls" && !shown) {
        issue(["allow", name, "bind"], "dpop or none: identity has no certificate to bind to");
      }
      if (bind === "none" && shown) {
        const message = "dpop or mtls: a key that is asked for by certificate is bound to that";
        issue(["allow", name, "bind"], message);
      }
    }
  })
  .readonly()
  .describe(
    "The sidecar beside a caller: it obtains keys for the services that the caller may reach, adds them to its requests, and forwards these.",
  );

export type EgressOptions = z.output<typeof egressSchema>;
export type EgressAuthorityOptions = z.output<typeof egressAuthoritySchema>;
export type EgressIdentityOptions = z.output<typeof egressIdentitySchema>;
export type EgressListenerOptions = z.output<typeof egressListenerSchema>;
export type EgressServiceOptions = z.output<typeof egressServiceSchema>;

/** How the service's ingress proxy is known. */
export function originOf({ origin, host, endpoints }: EgressServiceOptions): string {
  const secure = endpoints.every((endpoint) => endpoint.secure === true);
  return origin ?? `${secure ? "https" : "http"}://${host}`;
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":"));
}

function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === text;
}
