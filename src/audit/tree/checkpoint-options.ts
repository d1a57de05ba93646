/** Options of the checkpoints of the audit log: how often, under which name, with which key. */
import { z } from "zod";
import { duration } from "../../model/options.ts";
import { witnessesSchema } from "../witness/witness-options.ts";

const pem = z.string("a file").min(1, "a file in PEM");

export const checkpointSchema = z
  .strictObject({
    every: duration({ min: "100ms", max: "1h" })
      .prefault("10s")
      .describe(
        "How often what was recorded meanwhile is sealed: a checkpoint is signed and goes to the witnesses. Longer: whoever takes the machine over can change more records without a trace.",
      ),
    origin: z
      .string("a name")
      .regex(
        /^[!-*,-~]{1,128}$/,
        "a name without spaces and plus signs, such as audit.example.com/edge-1",
      )
      .optional()
      .describe(
        "Name of the log in its checkpoints, unique in the world: a domain of yours and a path, such as `audit.example.com/edge-1`. It is written into the log at its first start and cannot be changed later. When left out, a name of chance.",
      ),
    key: pem
      .optional()
      .describe(
        "File with the Ed25519 private key (PEM) that signs the checkpoints, mode 0600. When left out, one is made once in `tree/` of the log's folder. Whoever has it can sign another log under the same name.",
      ),
    previousKey: pem
      .optional()
      .describe(
        "With `key`: the private key before it. Needed at the first start with another `key`: it says which key follows it. Take it out again afterwards.",
      ),
    witnesses: witnessesSchema
      .prefault([])
      .describe(
        "To whom each checkpoint goes at once, outside of the operator's reach ([audit](audit.md#witnesses)). Without one, whoever has the key can replace the log unseen.",
      ),
  })
  .readonly();

export type CheckpointOptions = z.output<typeof checkpointSchema>;
