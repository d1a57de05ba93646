/**
 * `audit.checkpoints.witnesses`: to whom each checkpoint of the log goes at once, so that whoever holds
 * the signing key cannot tell another story afterwards.
 */
import { z } from "zod";
import { nameSchema } from "../../model/options.ts";
import { outgoingHeadersSchema } from "../../model/outgoing-options.ts";
import { whyNotFetched } from "../../wire/fetch-url.ts";
import { readVkey } from "../tree/note.ts";

const LIMITS = {
  /** Each is a connection of its own per checkpoint; an auditor asks for two or three. */
  witnesses: 16,
} as const;

const common = {
  name: nameSchema.describe("Names the witness in metrics, in the log and in `witnesses.jsonl`."),
  insecureHttp: z
    .boolean()
    .default(false)
    .describe(
      "Lets checkpoints go over plain http to elsewhere than loopback. Whoever is on the way can then read the `headers` and keep checkpoints from the witness.",
    ),
} as const;

const headers = outgoingHeadersSchema
  .prefault({})
  .describe(
    "Header fields of each request, by lower-case name, such as `authorization: ${file:secrets/witness}`. The values appear nowhere.",
  );

const tlogWitness = z.strictObject({
  type: z
    .literal("tlog-witness")
    .describe(
      "A witness that holds the last checkpoint, asks for a proof that the next one leads on from it, and cosigns it.",
    ),
  ...common,
  url: z
    .string("a URL")
    .describe(
      "Submission prefix of a C2SP tlog-witness: checkpoints go to `<url>/add-checkpoint`. https, or http on loopback.",
    ),
  key: z
    .string("the witness's verifier key")
    .refine(
      isCosigner,
      "the verifier key of a witness, name+hash+key of type cosignature/v1 (Ed25519)",
    )
    .describe(
      "The witness's verifier key, as it publishes it. What it answers counts only with its cosignature by this key.",
    ),
});

const webhook = z.strictObject({
  type: z.literal("webhook").describe("A receiver that keeps what it is sent."),
  ...common,
  url: z
    .string("a URL")
    .describe(
      "Each checkpoint is sent there as the body of a POST, `text/plain`, with its size as `idempotency-key`. Any 2xx counts. https, or http on loopback.",
    ),
  headers,
});

const objectStore = z.strictObject({
  type: z.literal("object-store").describe("A store whose objects are never overwritten."),
  ...common,
  url: z
    .string("a URL")
    .describe(
      "Each checkpoint is put at `<url>/<size>` with `if-none-match: *`; a query stays behind the path. One that is there already counts where it holds the same bytes. https, or http on loopback.",
    ),
  headers,
});

export const witnessesSchema = z
  .array(
    z
      .discriminatedUnion("type", [tlogWitness, webhook, objectStore])
      .superRefine(({ url, insecureHttp }, context) => {
        const message = whyNotFetched(url, insecureHttp);
        if (message !== undefined) context.addIssue({ code: "custom", path: ["url"], message });
      })
      .readonly(),
    "a list of witnesses",
  )
  .max(LIMITS.witnesses, `at most ${LIMITS.witnesses} witnesses`)
  .superRefine((witnesses, context) => {
    const seen = new Set<string>();
    for (const [index, { name }] of witnesses.entries()) {
      if (seen.has(name)) {
        const message = "a name that no other witness has";
        context.addIssue({ code: "custom", path: [index, "name"], message });
      }
      seen.add(name);
    }
  })
  .readonly();

function isCosigner(text: string): boolean {
  try {
    return readVkey(text).type === "cosignature";
  } catch {
    return false;
  }
}

export type WitnessOptions = z.output<typeof witnessesSchema>[number];
export type TlogWitnessOptions = Extract<WitnessOptions, { type: "tlog-witness" }>;
export type WebhookWitnessOptions = Extract<WitnessOptions, { type: "webhook" }>;
export type ObjectStoreWitnessOptions = Extract<WitnessOptions, { type: "object-store" }>;
