/** Options about who is in front of a listener: which peers are proxies, and what they may say. */
import { z } from "zod";
import { type Cidr, parseCidr } from "../wire/address.ts";

const LIMITS = {
  /** Blocks of a list; each is looked at for every connection. */
  blocks: 64,
} as const;

const blockSchema = z
  .string("a block such as 10.0.0.0/8, 2001:db8::/32 or one address")
  .transform((text, context): Cidr => {
    const block = parseCidr(text);
    if (block === undefined) {
      context.addIssue(
        "a block such as 10.0.0.0/8 or 2001:db8::/32 with no bits set beyond it, or one address",
      );
      return z.NEVER;
    }
    if (block.prefix === 0) {
      context.addIssue("the blocks of your own proxies: everybody could claim any address");
      return z.NEVER;
    }
    return block;
  });

/** A list of CIDR blocks, read. */
export const blocksSchema = z
  .array(blockSchema, "a list of blocks, such as [10.0.0.0/8]")
  .min(1, "at least one block")
  .max(LIMITS.blocks, `at most ${LIMITS.blocks}`)
  .readonly();
