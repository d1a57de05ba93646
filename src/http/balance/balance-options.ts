/** What consistent hashing goes by, and how far it may be followed. */
import { z } from "zod";

/** RFC 9110 section 5.1, in lower case as fields are compared; RFC 6265 section 4.1.1 for cookies. */
const FIELD_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/;
const COOKIE_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;

export const hashSchema = z
  .strictObject({
    by: z
      .enum(["principal", "header", "cookie"])
      .describe(
        "`principal`: who the gate found the caller to be. `header`, `cookie`: the one called `name`, as the caller sent it. Requests without it go where least is to do.",
      ),
    name: z
      .string()
      .max(128)
      .optional()
      .describe("Name of the header, in lower case, or of the cookie."),
    maxLoad: z
      .int()
      .min(105)
      .max(10_000)
      .default(150)
      .describe(
        "Percent of its share of the requests in flight that an endpoint may have before a key goes to its next endpoint, from 105 to 10000, 150 when left out. Less spreads a busy key sooner; 4 requests at once are always allowed.",
      ),
  })
  .superRefine(({ by, name }, context) => {
    const message = nameProblem(by, name);
    if (message !== undefined) context.addIssue({ code: "custom", path: ["name"], message });
  })
  .readonly();

export type HashOptions = z.output<typeof hashSchema>;

function nameProblem(by: string, name: string | undefined): string | undefined {
  if (by === "principal") return name === undefined ? undefined : "no name with by: principal";
  if (by === "header") {
    return FIELD_NAME.test(name ?? "")
      ? undefined
      : "a header name in lower case, such as x-tenant";
  }
  return COOKIE_NAME.test(name ?? "") ? undefined : "a cookie name, such as session";
}
