/** What operators of an authority change, by the admin API. */
import type { BundleRegister } from "../../authority/state/bundle-register.ts";
import type { ApiKeyRegister } from "../../keys/api-key-register.ts";
import type { CertificateAuthority } from "../../keys/certificate-authority.ts";
import type { ClientRegister } from "../../keys/client-register.ts";
import type { KeyManager } from "../../keys/key-manager.ts";
import type { RevocationRegister } from "../../keys/revocation-register.ts";
import type { WorkloadRegister } from "../../model/workloads.ts";
import type { OpenStore } from "../../store/store-deps.ts";

export interface Registers {
  readonly store: OpenStore;
  readonly keys: KeyManager;
  readonly ca: CertificateAuthority;
  readonly workloads: WorkloadRegister;
  readonly revocations: RevocationRegister;
  readonly apiKeys: ApiKeyRegister;
  /** Clients of the token endpoint. */
  readonly clients: ClientRegister;
  readonly bundles: BundleRegister;
}
