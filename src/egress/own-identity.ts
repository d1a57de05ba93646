/**
 * Who the sidecar is to the authority: by its certificate in the handshake (RFC 8705), by the X.509-SVID that the
 * SPIFFE agent brings, by the token that Kubernetes projects into the pod (RFC 7523), or by what a private key
 * signs. All of it is read again as others renew it.
 */
import { createClientAuthentication } from "../identity/asked/client-authentication.ts";
import type { WorkloadSource } from "../identity/spiffe/workload-source.ts";
import { SallyportError } from "../model/errors.ts";
import type { Clock } from "../model/ports.ts";
import type { ExchangeTls } from "../platform/bounded-exchange.ts";
import { createOwnCredentials } from "../platform/own-credentials.ts";
import type { EgressIdentityOptions } from "./egress-options.ts";
import type { PresentedIdentity } from "./token-client.ts";

const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

export interface OwnIdentity {
  /** As it is now. Throws SallyportError, which names the file. */
  present(): PresentedIdentity;
  /** The same without what is signed for one question: whom we trust, and our certificate. */
  tls(): ExchangeTls;
}

export interface OwnIdentityDeps {
  readonly clock: Clock;
  /** Throws what the file system throws. */
  readonly readFile: (path: string) => Uint8Array;
  /** Where `workloadApi` stands; closed by who opened it. */
  readonly workload: WorkloadSource | undefined;
}

/** `ca`: PEM file of the authorities that vouch for the authority. `audience`: what assertions are for. */
export function createOwnIdentity(
  options: EgressIdentityOptions,
  { ca, audience }: { readonly ca: string | undefined; readonly audience: string },
  deps: OwnIdentityDeps,
): OwnIdentity {
  const { certificate, key, clientId } = options;
  const files = createOwnCredentials({ ca, certificate, key }, deps);
  const tls = (): ExchangeTls => ({
    ...files.current().tls,
    ...(options.workloadApi === true ? svidOf(deps.workload) : {}),
  });
  const prove = proofOf(options, audience, deps);
  const named = clientId === undefined ? {} : { client_id: clientId };
  return {
    tls,
    present() {
      const { form, headers } = prove();
      return { form: { ...named, ...form }, headers, tls: tls() };
    },
  };
}

type Proof = Pick<PresentedIdentity, "form" | "headers">;

const NOTHING: Proof = Object.freeze({ form: Object.freeze({}), headers: Object.freeze({}) });

function proofOf(
  { tokenFile, clientId, privateKey, keyId }: EgressIdentityOptions,
  audience: string,
  { clock, readFile }: OwnIdentityDeps,
): () => Proof {
  if (tokenFile !== undefined) {
    const token = createOwnCredentials({ bearer: tokenFile }, { clock, readFile });
    return () => {
      const { authorization = "" } = token.current().headers;
      const assertion = authorization.slice("Bearer ".length);
      return {
        form: { client_assertion_type: ASSERTION_TYPE, client_assertion: assertion },
        headers: {},
      };
    };
  }
  if (privateKey === undefined || clientId === undefined) return () => NOTHING;
  const client = { id: clientId, privateKey, ...(keyId === undefined ? {} : { keyId }) };
  // Its files may come after us, as those of the other ways may.
  let prove: (() => Proof) | undefined;
  return () => {
    prove ??= createClientAuthentication(client, audience, { clock, readFile });
    return prove();
  };
}

function svidOf(workload: WorkloadSource | undefined): ExchangeTls {
  const svid = workload?.svid();
  if (svid === undefined) {
    throw new SallyportError(
      "fetch-failed",
      "the workload API has brought no X.509-SVID that is valid",
    );
  }
  return { cert: svid.certificatePem, key: svid.keyPem };
}
