/** Options of the SPIFFE Workload API: where the agent of this machine is, and who we are to be. */
import { isIP } from "node:net";
import { z } from "zod";
import { parseSpiffeId } from "../../crypto/spiffe-id.ts";

/** What `tls.identity` may name. */
export const WORKLOAD_API = "workload-api";

const LIMITS = {
  /** Linux: `sun_path` has 108 bytes with its end. */
  socketPath: 107,
} as const;

/** `workloadApi`. */
export const workloadApiSchema = z
  .strictObject({
    address: z
      .string()
      .superRefine((text, context) => {
        const message = addressProblem(text);
        if (message !== undefined) context.addIssue({ code: "custom", message });
      })
      .describe(
        "Socket of the agent: `unix:run/agent.sock` or `unix:///run/spire/sockets/agent.sock`, or `tcp://127.0.0.1:8081` with an address of loopback. As `SPIFFE_ENDPOINT_SOCKET` has it: `${env:SPIFFE_ENDPOINT_SOCKET}`. Whoever can put a socket there says who we are and whom we trust.",
      ),
    id: z
      .string()
      .refine((text) => (parseSpiffeId(text)?.path ?? "") !== "", "spiffe://trust-domain/path")
      .optional()
      .describe(
        "The SPIFFE ID that we are to have; an SVID for any other is refused. The first of those that the agent hands out, which is its default, when left out.",
      ),
  })
  .readonly()
  .describe(
    "The SPIFFE Workload API: certificates of our own for listeners and services (`tls: { identity: workload-api }`) and the bundles of trust domains, kept current without files. What changes here needs a restart.",
  );

export type WorkloadApiOptions = z.output<typeof workloadApiSchema>;

/** As gRPC takes it: `unix:/path`, `tcp:127.0.0.1:port`. `resolve` makes paths absolute. */
export function workloadAddress(address: string, resolve: (path: string) => string): string {
  if (address.startsWith("unix:")) return `unix:${resolve(socketPath(address))}`;
  return `tcp:${address.replace(/^tcp:(\/\/)?/, "")}`;
}

function socketPath(address: string): string {
  return address.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
}

/** SPIFFE Workload Endpoint section 4. */
function addressProblem(text: string): string | undefined {
  const unix = "unix:/path/to/agent.sock";
  if (text.startsWith("unix:")) {
    const path = socketPath(text);
    if (path.startsWith("//")) return `${unix}: there is no host in it`;
    if (path === "" || /[?#\0]/.test(path)) return `${unix}, without query and fragment`;
    return Buffer.byteLength(path) > LIMITS.socketPath
      ? `a path of at most ${LIMITS.socketPath} bytes`
      : undefined;
  }
  const match = /^tcp:(?:\/\/)?(?:\[([^\]]+)\]|([^:/]+)):(\d{1,5})$/.exec(text);
  if (match === null) return `${unix} or tcp://127.0.0.1:port`;
  const host = match[1] ?? match[2] ?? "";
  const port = Number(match[3]);
  if (port < 1 || port > 65_535) return "a port from 1 to 65535";
  // The section wants an address; without TLS only loopback tells who is at the other end.
  const loopback = isIP(host) === 4 ? host.startsWith("127.") : host === "::1";
  return loopback ? undefined : "an address of loopback, such as tcp://127.0.0.1:8081";
}
