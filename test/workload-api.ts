/**
 * A SPIFFE agent for tests and examples: the Workload API on a Unix socket (or a port of loopback), as
 * SPIRE's agent serves it, with identities that it issues itself; and all the ways in which it can go
 * wrong. It demands the header that a real one demands.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  type ServiceDefinition,
  status,
} from "@grpc/grpc-js";
import { issueCertificate, pemText } from "../src/crypto/issue-certificate.ts";
import {
  writeJwtBundlesResponse,
  writeX509BundlesResponse,
  writeX509SvidResponse,
  type X509SvidMessage,
} from "../src/wire/workload-api-messages.ts";

/** What the streams are about. */
export type AgentPart = "svid" | "x509-bundles" | "jwt-bundles";

const METHODS = {
  FetchX509SVID: "svid",
  FetchX509Bundles: "x509-bundles",
  FetchJWTBundles: "jwt-bundles",
} as const satisfies Record<string, AgentPart>;

const HOUR_MS = 3_600_000;
const TOKEN_KID = "tokens";

export interface SvidOptions {
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly dnsNames?: readonly string[];
  readonly hint?: string;
}

/** An issued identity, in the forms in which tests want it. */
export interface IssuedSvid {
  readonly message: X509SvidMessage;
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** A trust domain with one authority, which can be replaced. */
export class TestTrustDomain {
  readonly name: string;
  authorities: readonly Buffer[] = [];
  readonly #tokenKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  #key: KeyObject;

  constructor(name: string) {
    this.name = name;
    this.#key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    this.authorities = [this.#issueRoot()];
  }

  get id(): string {
    return `spiffe://${this.name}`;
  }

  get bundle(): Buffer {
    return Buffer.concat(this.authorities);
  }

  get bundlePem(): string {
    return this.authorities.map((der) => pemText("CERTIFICATE", der)).join("");
  }

  /** Another authority beside those that are there; what is issued from now on is its. */
  rotate(): void {
    this.#key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    this.authorities = [...this.authorities, this.#issueRoot()];
  }

  issue(path: string, options: SvidOptions = {}): IssuedSvid {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const spiffeId = `${this.id}${path}`;
    const now = Date.now();
    const { der } = issueCertificate(
      {
        commonName: "workload",
        publicKey,
        notBeforeMs: options.notBeforeMs ?? now - 10_000,
        notAfterMs: options.notAfterMs ?? now + HOUR_MS,
        usages: ["client", "server"],
        uris: [spiffeId],
        dnsNames: options.dnsNames,
      },
      { commonName: this.name, privateKey: this.#key },
    );
    const { bundle } = this;
    const key = privateKey.export({ type: "pkcs8", format: "der" });
    const hint = options.hint ?? "";
    return {
      message: { spiffeId, certificates: der, key, bundle, hint },
      certificatePem: pemText("CERTIFICATE", der),
      keyPem: privateKey.export({ type: "pkcs8", format: "pem" }),
    };
  }

  /** As an agent has it: a plain key set. */
  get jwtBundle(): Buffer {
    const jwk = createPublicKey(this.#tokenKey).export({ format: "jwk" });
    return Buffer.from(JSON.stringify({ keys: [{ ...jwk, kid: TOKEN_KID }] }));
  }

  /** A JWT-SVID of five minutes. */
  issueToken(path: string, audience: string): string {
    const exp = Math.floor(Date.now() / 1000) + 300;
    const part = (value: object): string =>
      Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = { sub: `${this.id}${path}`, aud: [audience], exp };
    const signed = `${part({ alg: "ES256", kid: TOKEN_KID, typ: "JWT" })}.${part(claims)}`;
    const key = { key: this.#tokenKey, dsaEncoding: "ieee-p1363" } as const;
    return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
  }

  #issueRoot(): Buffer {
    return issueCertificate(
      {
        commonName: this.name,
        publicKey: createPublicKey(this.#key),
        notBeforeMs: Date.now() - HOUR_MS,
        notAfterMs: Date.now() + 24 * HOUR_MS,
        authority: { pathLength: 1 },
        uris: [this.id],
      },
      { commonName: this.name, privateKey: this.#key },
    ).der;
  }
}

/** What a stream is answered: bytes, an end with a status, or nothing at all. */
export type AgentAnswer =
  | { readonly bytes: Uint8Array }
  | { readonly code: number; readonly detail: string }
  | "silence";

type Call = ServerWritableStream<Buffer, Buffer>;

export class TestAgent {
  /** What each new stream is told first, and after each `push` every open one. */
  readonly answers = new Map<AgentPart, AgentAnswer>([
    ["svid", { code: status.PERMISSION_DENIED, detail: "no identity issued" }],
    ["x509-bundles", { code: status.PERMISSION_DENIED, detail: "no identity issued" }],
    ["jwt-bundles", { code: status.PERMISSION_DENIED, detail: "no identity issued" }],
  ]);
  /** Streams that were opened until now, by what they are about. */
  readonly opened: Record<AgentPart, number> = { svid: 0, "x509-bundles": 0, "jwt-bundles": 0 };
  /** `workload.spiffe.io` of each call. */
  readonly headers: (string | undefined)[] = [];
  readonly #address: string;
  readonly #calls = new Map<Call, AgentPart>();
  #server: Server | undefined;
  #heard: (() => void)[] = [];

  /** `unix:/path` or `127.0.0.1:port`. */
  constructor(address: string) {
    this.#address = address;
  }

  /** Open streams. */
  get streams(): number {
    return this.#calls.size;
  }

  /** Returns the port that was bound; of a socket 1. */
  async start(): Promise<number> {
    const server = new Server();
    server.addService(DEFINITION, {
      FetchX509SVID: (call: Call) => this.#called("svid", call),
      FetchX509Bundles: (call: Call) => this.#called("x509-bundles", call),
      FetchJWTBundles: (call: Call) => this.#called("jwt-bundles", call),
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(this.#address, ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
    this.#server = server;
    return port;
  }

  /** Cuts all streams off, as an agent that is killed does. */
  stop(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
    this.#calls.clear();
  }

  /** Hands out these identities; the first is the default. Bundles are those of their trust domains. */
  serve(svids: readonly IssuedSvid[], federated: readonly TestTrustDomain[] = []): void {
    const federatedBundles = new Map(federated.map(({ id, bundle }) => [id, bundle]));
    const messages = svids.map(({ message }) => message);
    this.push("svid", { bytes: writeX509SvidResponse({ svids: messages, federatedBundles }) });
  }

  serveBundles(domains: readonly TestTrustDomain[]): void {
    const bundles = new Map(domains.map(({ id, bundle }) => [id, bundle]));
    this.push("x509-bundles", { bytes: writeX509BundlesResponse(bundles) });
  }

  serveJwtBundles(bundles: ReadonlyMap<string, Buffer>): void {
    this.push("jwt-bundles", { bytes: writeJwtBundlesResponse(bundles) });
  }

  /** From now on this is the answer, on the open streams too. */
  push(part: AgentPart, answer: AgentAnswer): void {
    this.answers.set(part, answer);
    for (const [call, of] of this.#calls) if (of === part) this.#answer(call, answer);
  }

  /** Resolves when another stream has been opened, or as many as this since the start. */
  async streamOpened(part: AgentPart, count = this.opened[part] + 1): Promise<void> {
    while (this.opened[part] < count) {
      await new Promise<void>((resolve) => this.#heard.push(resolve));
    }
  }

  #called(part: AgentPart, call: Call): void {
    this.headers.push(headerOf(call.metadata));
    this.opened[part] += 1;
    for (const resolve of this.#heard.splice(0)) resolve();
    if (headerOf(call.metadata) !== "true") {
      this.#answer(call, { code: status.INVALID_ARGUMENT, detail: "security header missing" });
      return;
    }
    this.#calls.set(call, part);
    call.on("cancelled", () => this.#calls.delete(call));
    call.on("close", () => this.#calls.delete(call));
    this.#answer(call, this.answers.get(part) ?? "silence");
  }

  #answer(call: Call, answer: AgentAnswer): void {
    if (answer === "silence") return;
    if ("bytes" in answer) {
      call.write(Buffer.from(answer.bytes));
      return;
    }
    this.#calls.delete(call);
    const { code, detail: details } = answer;
    call.emit("error", Object.assign(new Error(details), { code, details }));
  }
}

function headerOf(metadata: Metadata): string | undefined {
  const [value] = metadata.get("workload.spiffe.io");
  return value === undefined ? undefined : String(value);
}

const asIs = (bytes: Buffer): Buffer => bytes;

const DEFINITION: ServiceDefinition = Object.fromEntries(
  Object.keys(METHODS).map((name) => [
    name,
    {
      path: `/SpiffeWorkloadAPI/${name}`,
      requestStream: false,
      responseStream: true,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    },
  ]),
);
