/**
 * The folder that a machine's identity lives in:
 *
 *     <folder>/                  0700
 *       current -> g-…           switched by one rename: readers see the old identity or the new one
 *       g-…/                     identity.json, key.pem, certificate.pem, roots.pem (0600)
 *       pending.pem              a key that was made and is being registered
 *
 * The private key is made here and never leaves. A key that is about to be registered is on disk before
 * the authority hears of it, and stays there until its answer is: whatever step a crash comes at, what
 * is current is usable, and a request whose answer was lost is made again with the same key.
 *
 * Refuses a folder or key that others can read or change, and an identity whose parts do not fit.
 */
import { createPrivateKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { type Certificate, parseCertificate } from "../../crypto/certificate.ts";
import { pemBlocks } from "../../crypto/pem.ts";
import { SallyportError } from "../../model/errors.ts";
import {
  ENROLMENT_METHODS,
  type EnrolmentMethod,
  WORKLOAD_KINDS,
  type WorkloadKind,
} from "../../model/workloads.ts";
import { type ProofKey, proofKeyOf } from "./enrolment-proof.ts";
import { readRoots } from "./machine-roots.ts";
import { type IdentityFiles, systemIdentityFiles } from "./machine-identity-files.ts";

const LIMITS = {
  /** A generation that nobody points at is what a crash left, unless another process writes it just now. */
  orphanMs: 3_600_000,
} as const;

/** Permission bits of group and others. */
const OTHERS = 0o077;

/** Whom a machine is enrolled as. Times are milliseconds since the epoch. */
export interface StoredIdentity {
  readonly name: string;
  readonly kind: WorkloadKind;
  readonly method: EnrolmentMethod;
  readonly issuer: string;
  /** Where it was enrolled and renews, `https://host:port`. */
  readonly authorities: readonly string[];
  readonly obtainedMs: number;
  readonly notAfterMs: number;
  /** PEM, its own first; undefined with private-key-jwt. */
  readonly certificatePem: string | undefined;
  /** What it is called where it signs assertions; undefined with mtls. */
  readonly clientId: string | undefined;
  /** PEM, one certificate each. */
  readonly roots: readonly string[];
}

export interface LoadedIdentity extends StoredIdentity {
  /** PKCS #8. */
  readonly keyPem: string;
  readonly key: ProofKey;
  readonly certificate: Certificate | undefined;
  /** Name of its generation: another one is another identity. */
  readonly generation: string;
}

export interface IdentityFolder {
  readonly path: string;
  /** Undefined where there is none yet. Throws `enrolment-failed`. */
  load(): Promise<LoadedIdentity | undefined>;
  /** Of what `load` would give; cheap. */
  generation(): Promise<string | undefined>;
  /** A key that is being registered: the one that a crash left, or a new one. On disk when it resolves. */
  pendingKey(): Promise<{ readonly keyPem: string; readonly key: ProofKey }>;
  hasPendingKey(): Promise<boolean>;
  /** Makes it current, at once and whole, and clears away what it replaces. */
  adopt(identity: StoredIdentity, keyPem: string): Promise<LoadedIdentity>;
}

const documentSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  kind: z.enum(WORKLOAD_KINDS),
  method: z.enum(ENROLMENT_METHODS),
  issuer: z.string(),
  authorities: z.array(z.string()),
  obtainedMs: z.number(),
  notAfterMs: z.number(),
  clientId: z.string().optional(),
});

const GENERATION = /^g-[0-9a-z]+-[0-9a-f]{8}$/;
const CURRENT = "current";
const PENDING = "pending.pem";

/** Checks the folder, makes it where `create` says so. Throws `enrolment-failed`. */
export async function openIdentityFolder(
  path: string,
  options: {
    readonly create: boolean;
    readonly nowMs: () => number;
    readonly files?: IdentityFiles | undefined;
  },
): Promise<IdentityFolder> {
  const files = options.files ?? systemIdentityFiles;
  return filesystem(path, async () => {
    if (options.create) await files.ensureFolder(path);
    const figures = await files.figures(path);
    if (figures === undefined) {
      throw failed(`${path} does not exist: this machine is not enrolled. ${HOW_TO_ENROL}`);
    }
    if (figures.kind !== "folder") throw failed(`${path} is not a folder`);
    refuseWide(path, figures, "0700");
    return new Folder(path, files, options.nowMs);
  });
}

export const HOW_TO_ENROL =
  "Get a join token with `sallyport workloads enrol NAME` (re-enrol for one that is known), then `sallyport enrol` here";

class Folder implements IdentityFolder {
  readonly path: string;
  readonly #files: IdentityFiles;
  readonly #nowMs: () => number;

  constructor(path: string, files: IdentityFiles, nowMs: () => number) {
    this.path = path;
    this.#files = files;
    this.#nowMs = nowMs;
  }

  load(): Promise<LoadedIdentity | undefined> {
    return filesystem(this.path, async () => {
      const generation = await this.#current();
      return generation === undefined ? undefined : this.#read(generation);
    });
  }

  generation(): Promise<string | undefined> {
    return filesystem(this.path, () => this.#current());
  }

  async hasPendingKey(): Promise<boolean> {
    return (await this.#files.figures(join(this.path, PENDING))) !== undefined;
  }

  pendingKey(): Promise<{ readonly keyPem: string; readonly key: ProofKey }> {
    const path = join(this.path, PENDING);
    return filesystem(path, async () => {
      const current = await this.load();
      const left = await this.#leftKey(path);
      // What is registered already is done: a crash came after the switch and before the clearing.
      if (left !== undefined && left.key.thumbprint !== current?.key.thumbprint) return left;
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const keyPem = privateKey.export({ type: "pkcs8", format: "pem" });
      // Whole or not at all: half a key would be no key to try again with.
      const draft = `${path}.${randomBytes(4).toString("hex")}`;
      await this.#files.write(draft, keyPem);
      await this.#files.rename(draft, path);
      await this.#files.sync(this.path);
      return { keyPem, key: proofKeyOf(privateKey) };
    });
  }

  adopt(identity: StoredIdentity, keyPem: string): Promise<LoadedIdentity> {
    return filesystem(this.path, async () => {
      const before = await this.#current();
      const stamp = Math.floor(this.#nowMs()).toString(36);
      const generation = `g-${stamp}-${randomBytes(4).toString("hex")}`;
      await this.#write(generation, identity, keyPem);
      // Read back before anything points at it: what does not load again never becomes current.
      const loaded = await this.#read(generation);
      const link = join(this.path, `${CURRENT}.${generation}`);
      await this.#files.link(generation, link);
      await this.#files.rename(link, join(this.path, CURRENT));
      await this.#files.sync(this.path);
      await this.#clear(before, loaded);
      return loaded;
    });
  }

  async #current(): Promise<string | undefined> {
    const path = join(this.path, CURRENT);
    const figures = await this.#files.figures(path);
    if (figures === undefined) return undefined;
    const target = figures.kind === "link" ? await this.#files.linkTarget(path) : "";
    if (!GENERATION.test(target))
      throw failed(`${path} does not point at an identity in ${this.path}`);
    return target;
  }

  async #read(generation: string): Promise<LoadedIdentity> {
    const folder = join(this.path, generation);
    const at = (name: string): string => join(folder, name);
    const figures = await this.#files.figures(folder);
    if (figures?.kind !== "folder") throw failed(`${folder} is not a folder`);
    refuseWide(folder, figures, "0700");
    const document = readDocument(at("identity.json"), await this.#files.read(at("identity.json")));
    const keyPem = await this.#readKey(at("key.pem"));
    const key = readKey(at("key.pem"), keyPem);
    const roots = splitPem(await this.#files.read(at("roots.pem")));
    readRoots(roots);
    const certificatePem =
      document.method === "mtls" ? await this.#files.read(at("certificate.pem")) : undefined;
    const certificate =
      certificatePem === undefined
        ? undefined
        : readOwn(at("certificate.pem"), certificatePem, key);
    const { version: _version, clientId, ...rest } = document;
    if (rest.method === "private-key-jwt" && clientId === undefined) {
      throw failed(
        `${at("identity.json")} does not say what this machine is called where it signs`,
      );
    }
    return { ...rest, clientId, roots, certificatePem, keyPem, key, certificate, generation };
  }

  async #readKey(path: string): Promise<string> {
    const figures = await this.#files.figures(path);
    if (figures?.kind !== "file") throw failed(`${path} is not a file`);
    refuseWide(path, figures, "0600");
    return this.#files.read(path);
  }

  async #leftKey(
    path: string,
  ): Promise<{ readonly keyPem: string; readonly key: ProofKey } | undefined> {
    if ((await this.#files.figures(path)) === undefined) return undefined;
    const keyPem = await this.#readKey(path);
    return { keyPem, key: readKey(path, keyPem) };
  }

  async #write(generation: string, identity: StoredIdentity, keyPem: string): Promise<void> {
    const folder = join(this.path, generation);
    const { certificatePem, roots, clientId, ...rest } = identity;
    const document = { version: 1, ...rest, ...(clientId !== undefined && { clientId }) };
    await this.#files.makeFolder(folder);
    await this.#files.write(join(folder, "key.pem"), keyPem);
    if (certificatePem !== undefined) {
      await this.#files.write(join(folder, "certificate.pem"), certificatePem);
    }
    await this.#files.write(join(folder, "roots.pem"), roots.join(""));
    await this.#files.write(
      join(folder, "identity.json"),
      `${JSON.stringify(document, undefined, 2)}\n`,
    );
    await this.#files.sync(folder);
  }

  /** The key before goes at once: it is of no more use to us, and of much to who finds it. */
  async #clear(before: string | undefined, { generation, key }: LoadedIdentity): Promise<void> {
    if (before !== undefined && before !== generation) {
      await this.#files.remove(join(this.path, before));
    }
    const pending = join(this.path, PENDING);
    const left = await this.#leftKey(pending);
    if (left?.key.thumbprint === key.thumbprint) await this.#files.remove(pending);
    for (const name of await this.#files.list(this.path)) {
      if (name !== generation && (await this.#isOrphan(name))) {
        await this.#files.remove(join(this.path, name));
      }
    }
  }

  async #isOrphan(name: string): Promise<boolean> {
    const draft = name.startsWith(`${CURRENT}.`) || name.startsWith(`${PENDING}.`);
    if (!draft && !GENERATION.test(name)) return false;
    const figures = await this.#files.figures(join(this.path, name));
    return figures !== undefined && this.#nowMs() - figures.modifiedMs > LIMITS.orphanMs;
  }
}

/** Certificates in PEM, each by itself. */
export function splitPem(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----\n?/g) ?? [];
}

function readDocument(path: string, text: string): z.output<typeof documentSchema> {
  try {
    return documentSchema.parse(JSON.parse(text));
  } catch (error) {
    throw failed(`${path} is not the identity of a machine. ${HOW_TO_ENROL}`, error);
  }
}

/** What the runtime says of a private key may hold pieces of it, so its error is no cause of ours. */
function readKey(path: string, pem: string): ProofKey {
  try {
    return proofKeyOf(createPrivateKey(pem));
  } catch {
    throw failed(`${path} holds no private key that can be used. ${HOW_TO_ENROL}`);
  }
}

function readOwn(path: string, pem: string, key: ProofKey): Certificate {
  const [der] = pemBlocks(pem, "CERTIFICATE");
  if (der === undefined) throw failed(`${path} holds no certificate`);
  const certificate = parseCertificate(der);
  const own = key.verification.keyObject.export({ type: "spki", format: "der" });
  if (!certificate.spki.equals(own)) throw failed(`${path} is not the certificate of key.pem`);
  return certificate;
}

function refuseWide(
  path: string,
  { mode, uid }: { readonly mode: number; readonly uid: number },
  wanted: string,
): void {
  // Where there are no permission bits, there is nothing to look at.
  if (process.platform === "win32") return;
  if ((mode & OTHERS) !== 0) {
    throw failed(
      `${path} can be read or changed by others (mode ${mode.toString(8).padStart(4, "0")}); chmod ${wanted} it`,
    );
  }
  const self = process.geteuid?.();
  if (self !== undefined && self !== 0 && uid !== self) {
    throw failed(`${path} belongs to another user (${uid}); chown it to the one that runs this`);
  }
}

/** File system errors as ours, with the path. */
async function filesystem<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw failed(`${path} cannot be read or written (${code})`, error);
  }
}

function failed(message: string, cause?: unknown): SallyportError {
  return new SallyportError("enrolment-failed", message, { cause });
}
