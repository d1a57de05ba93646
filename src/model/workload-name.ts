/** Names of machines; apart from what machines are, so that a command that only knows their kinds is without zod. */
import { z } from "zod";

/**
 * What a machine may be called. It is the common name of its certificate (64 characters at most, RFC
 * 5280 appendix A.1), a segment of its SPIFFE ID (letters, digits, '-', '.', '_') and matches the
 * `proxies` patterns. Dots are there for host names; a slash would make two names of one path.
 */
export const workloadNameSchema = z
  .string()
  .regex(
    /^(?=.{1,63}$)[a-z](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/,
    "a name of lower-case letters, digits and '-', with dots between its parts, that begins with a letter (at most 63), such as edge-1 or billing.eu",
  );
