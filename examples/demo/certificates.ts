/** Certificates for the demo's door over TLS, made anew at each start: the gate's own, and the ledger's. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createRoot } from "../../test/certificates.ts";
import { LEDGER } from "./cast.ts";

export interface Shown {
  /** PEM of the authority. */
  readonly ca: string;
  /** What the ledger shows of itself. */
  readonly ledger: { readonly cert: string; readonly key: string };
}

export function writeCertificates(folder: string): Shown {
  mkdirSync(folder, { mode: 0o700 });
  const root = createRoot("Demo Root", { uri: ["spiffe://demo.example"] });
  const gate = root.issue({ name: "gate", ip: ["127.0.0.1"] });
  const ledger = root.issue({ name: "ledger", uri: [LEDGER] });
  writeFileSync(join(folder, "ca.pem"), root.pem);
  for (const one of [gate, ledger]) {
    writeFileSync(join(folder, `${one.name}.pem`), one.chainPem);
    writeFileSync(join(folder, `${one.name}.key`), one.keyPem, { mode: 0o600 });
  }
  return { ca: root.pem, ledger: { cert: ledger.chainPem, key: ledger.keyPem } };
}
