/** Options of an authenticator of type `kubernetes`: service accounts of a cluster. */
import { z } from "zod";
import { ALGORITHMS } from "../crypto/algorithms.ts";
import { duration } from "../model/options.ts";
import type { VocabularyAuthenticator } from "../model/vocabulary.ts";
import { answerCacheSchema, downSchema, serveForFault } from "./asked/asked-options.ts";
import { keysSchema } from "./jwt-options.ts";
import { whyNotFetched } from "../wire/fetch-url.ts";

const LIMITS = { chars: 2048, audience: 16, path: 4096 } as const;

/** How pods reach the API server of their cluster, and what the kubelet puts into each of them. */
const IN_POD = {
  apiServer: "https://kubernetes.default.svc",
  ca: "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
  tokenFile: "/var/run/secrets/kubernetes.io/serviceaccount/token",
} as const;

const textSchema = z.string().min(1).max(LIMITS.chars);
const fileSchema = z.string().min(1, "a path").max(LIMITS.path);

export const kubernetesOptionsSchema = z
  .strictObject({
    type: z
      .literal("kubernetes")
      .describe("Service accounts of a Kubernetes cluster, by their projected tokens."),
    audience: z
      .array(textSchema, "a list of audiences")
      .min(1, "at least one audience")
      .max(LIMITS.audience, `at most ${LIMITS.audience}`)
      .describe(
        "What a token must be meant for on routes that name no `audience`: the `audience` of the pod's `serviceAccountToken` volume. Never the API server's own, which every pod has a token for.",
      ),
    issuer: textSchema
      .default("https://kubernetes.default.svc.cluster.local")
      .describe(
        "`iss` of its tokens, compared exactly: what the API server was started with as `--service-account-issuer`. `kubectl get --raw /.well-known/openid-configuration` shows it.",
      ),
    apiServer: textSchema
      .default(IN_POD.apiServer)
      .describe("Where the cluster is asked for its keys, and about tokens."),
    ca: fileSchema
      .optional()
      .describe(
        `PEM file with the authorities that the API server's certificate must lead to. \`${IN_POD.ca}\` where \`apiServer\` is left out too, else those of the runtime. Read again when it changes.`,
      ),
    tokenFile: fileSchema
      .optional()
      .describe(
        `File with the token that we show the API server. \`${IN_POD.tokenFile}\` where \`apiServer\` is left out too, else none. Read again when it changes.`,
      ),
    algorithms: z
      .array(z.enum(ALGORITHMS), `a list of ${ALGORITHMS.join(", ")}`)
      .min(1, "at least one algorithm")
      .default(["RS256", "ES256", "ES384", "ES512"])
      .describe("Accepted `alg`: those that API servers sign with."),
    clockSkew: duration({ min: "0s", max: "5m" })
      .prefault("30s")
      .describe("Tolerance on `exp`, `nbf` and `iat`."),
    keys: keysSchema.prefault({}).describe("When keys are fetched and how long they serve."),
    review: z
      .boolean()
      .default(false)
      .describe(
        "Asks the API server about each token too (TokenReview), so that one ends with its pod or service account and not only with its `exp`. Our own service account needs the role `system:auth-delegator` for that.",
      ),
    cache: answerCacheSchema
      .optional()
      .describe("With `review`: how long the API server's answers count."),
    down: downSchema
      .optional()
      .describe(
        "With `review`, while the API server cannot be asked. refuse: tokens are refused (503) once its last answer counts no more. serveFor: what it vouched for goes on for so long after that answer; new tokens are refused. refuse when left out.",
      ),
    timeout: duration({ min: "100ms", max: "1m" })
      .optional()
      .describe(
        "With `review`: for each question as a whole, and for the wait before it. 5s when left out.",
      ),
    insecureHttp: z
      .boolean()
      .default(false)
      .describe(
        "Lets the API server be asked over plain http elsewhere than on loopback. Whoever is on the way can then forge every token, and read ours.",
      ),
  })
  .superRefine((options, context) => {
    const { apiServer, insecureHttp, review, cache, down, tokenFile } = options;
    const issue = (path: readonly string[], message: string): void =>
      context.addIssue({ code: "custom", path: [...path], message });
    const wrong = whyNotFetched(apiServer, insecureHttp) ?? queryFault(apiServer);
    if (wrong !== undefined) issue(["apiServer"], wrong);
    if (options.ca !== undefined && apiServer.startsWith("http:")) {
      issue(["ca"], "no ca with http:, which shows no certificate");
    }
    for (const name of ["cache", "down", "timeout"] as const) {
      if (!review && options[name] !== undefined) issue([name], `${name} with review: true`);
    }
    if (review && tokenFile === undefined && apiServer !== IN_POD.apiServer) {
      issue(["tokenFile"], "tokenFile, which review needs");
    }
    const serves = serveForFault(down, cache);
    if (serves !== undefined) issue(["down", "serveFor"], serves);
  })
  .readonly();

export type KubernetesOptions = z.output<typeof kubernetesOptionsSchema>;

/** Paths are put behind it. */
function queryFault(url: string): string | undefined {
  return url.includes("?") ? "a URL without '?'" : undefined;
}

/** The files that are read, whether they are named or what every pod has. */
export function kubernetesFiles({ apiServer, ca, tokenFile }: KubernetesOptions): {
  readonly ca: string | undefined;
  readonly bearer: string | undefined;
} {
  const inPod = apiServer === IN_POD.apiServer;
  return {
    ca: ca ?? (inPod ? IN_POD.ca : undefined),
    bearer: tokenFile ?? (inPod ? IN_POD.tokenFile : undefined),
  };
}

/** Attributes of its principals. Texts, empty where a token is bound to no pod or names no node. */
export const KUBERNETES_ATTRIBUTES = [
  "namespace",
  "serviceAccount",
  "serviceAccountUid",
  "pod",
  "podUid",
  "node",
  "nodeUid",
] as const;

export type KubernetesAttribute = (typeof KUBERNETES_ATTRIBUTES)[number];

export const KUBERNETES_WORDS: Omit<VocabularyAuthenticator, "name"> = {
  kinds: ["workload"],
  attributes: Object.fromEntries(KUBERNETES_ATTRIBUTES.map((name) => [name, "string"])),
  bareRoles: [],
};

export function mapKubernetesFiles(
  options: KubernetesOptions,
  change: (file: string) => string,
): KubernetesOptions {
  const { ca, tokenFile } = options;
  return {
    ...options,
    ...(ca === undefined ? {} : { ca: change(ca) }),
    ...(tokenFile === undefined ? {} : { tokenFile: change(tokenFile) }),
  };
}
