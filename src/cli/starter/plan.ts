/** What `sallyport init` is about to write, before it is put into words. */

/** One operation that an OpenAPI file names on a route. */
export interface StarterOperation {
  readonly method: string;
  /** Id of the action that policies are asked about: of the operation, where the service has them. */
  readonly action: string;
  /** `operationId` or `summary`; for a comment. */
  readonly label: string | undefined;
  /** Scopes of which a caller needs all, by the file's first security requirement. */
  readonly scopes: readonly string[];
  /** Whether the file says that nobody needs to authenticate. It is only noted: nothing is opened. */
  readonly open: boolean;
}

export interface StarterRoute {
  readonly name: string;
  readonly path: string;
  /** Undefined: every method. */
  readonly methods: readonly string[] | undefined;
  /** Whether what stands before `*` is cut off before forwarding. */
  readonly cutPrefix: boolean;
  /** Empty where no OpenAPI file describes the service. */
  readonly operations: readonly StarterOperation[];
}

export interface StarterService {
  readonly name: string;
  /** `http://host:port` or `h2c://host:port`. */
  readonly endpoint: string;
  readonly routes: readonly StarterRoute[];
  /** Of one that an OpenAPI file describes. */
  readonly described?: StarterDescription | undefined;
}

export interface StarterDescription {
  /** The file as it was, and where it goes; undefined where the gate cannot take its operations. */
  readonly openapi: { readonly path: string; readonly text: string } | undefined;
}

export interface StarterPlan {
  readonly issuer: string;
  /** As `authenticators.*.jwks` takes it; undefined: by discovery. */
  readonly jwks: string | undefined;
  readonly audience: string;
  readonly services: readonly StarterService[];
  /** Whether the process is to keep state: keys, revocations, enrolled machines. */
  readonly authority: boolean;
  /** What could not be taken over, for the person who runs `init`. */
  readonly notes: readonly string[];
}

/** Where the key-encryption key of a starter lies. */
export const STARTER_KEY = "secrets/kek";

/** The name of the one authenticator in a starter. */
export const STARTER_AUTHENTICATOR = "corp";

/** A valid name from any text: lower-case, dashes, at most 63 characters; unique among `taken`. */
export function starterName(text: string, taken: ReadonlySet<string>): string {
  const slug = text
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1-$2")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^[^a-z]+|-+$/g, "")
    .slice(0, 56)
    .replaceAll(/-+$/g, "");
  const base = slug === "" ? "api" : slug;
  if (!taken.has(base)) return base;
  for (let number = 2; ; number++) {
    if (!taken.has(`${base}-${number}`)) return `${base}-${number}`;
  }
}
