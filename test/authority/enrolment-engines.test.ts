/** One token, many authorities, real engines: exactly one machine wins, and what is registered is what won. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createEnrolment } from "../../src/authority/enrolment/enrolment.ts";
import { readJoinToken } from "../../src/authority/enrolment/enrolment-token.ts";
import { createWorkloadAdmission } from "../../src/authority/enrolment/workload-admission.ts";
import { createWorkloadRegister } from "../../src/authority/enrolment/workload-register.ts";
import { parseCertificate } from "../../src/crypto/certificate.ts";
import { pemBlocks } from "../../src/crypto/pem.ts";
import type { Store } from "../../src/model/store.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { systemTimers } from "../../src/platform/timers.ts";
import { recordedLog, recordedMetrics } from "../ports.ts";
import { postgres } from "../postgres.ts";
import { opener, temporaryFolder } from "../store/kit.ts";
import { createFixtureCa, invitation, ISSUER, newKey } from "./enrolment-ground.ts";

const CA = createFixtureCa(systemClock);
const ROUNDS = 10;

test("on SQLite one token enrols one machine, whoever asks where", async (t) => {
  const folder = await temporaryFolder(t);
  await judge(t, opener(t, `sqlite:${join(folder, "state", "store.db")}`));
});

test("on Postgres one token enrols one machine, whoever asks where", async (t) => {
  const server = await postgres(t);
  if (server !== undefined) await judge(t, opener(t, server.url));
});

async function judge(t: TestContext, open: () => Promise<Store>): Promise<void> {
  const stores = await Promise.all(Array.from({ length: 3 }, () => open()));
  const authorities = stores.map((store) => authorityOf(t, store));
  const [one, two] = authorities;
  assert.ok(one !== undefined && two !== undefined);
  for (let round = 0; round < ROUNDS; round++) {
    const name = `edge-${round}`;
    const options = { kind: "proxy", method: "mtls", by: "ops" } as const;
    const { token } = invitation(await one.register.enrol(name, options));
    const { secret } = readJoinToken(token);
    const asked = authorities.flatMap(({ enrolment }) => [
      enrolment.redeem(secret, newKey()),
      enrolment.redeem(secret, newKey()),
    ]);
    // In every other round somebody changes the machine meanwhile: who redeems then reads it anew.
    const between = round % 2 === 0 ? undefined : two.register.enable(name, { by: "ops" });
    const outcomes = await Promise.all(asked);
    await between;
    const granted = outcomes.filter((outcome) => "certificate" in outcome);
    assert.equal(granted.length, 1, `round ${round}`);
    for (const outcome of outcomes) {
      if ("refused" in outcome) assert.deepEqual(outcome, { refused: "token-refused" });
    }
    const { certificate = "", thumbprint } = granted[0] ?? {};
    for (const { register, admission } of authorities) {
      assert.equal((await register.get(name))?.key?.thumbprint, thumbprint);
      const [der = Buffer.alloc(0)] = pemBlocks(certificate, "CERTIFICATE");
      const { extensions, thumbprint: own } = parseCertificate(der);
      const seen = { uris: extensions.uris, thumbprint: own };
      assert.deepEqual(await admission.admit(seen), { name, kind: "proxy" });
    }
  }
  const { workloads } = await two.register.list({ limit: 100 });
  assert.equal(workloads.length, ROUNDS);
}

function authorityOf(t: TestContext, store: Store) {
  const deps = {
    store,
    ca: CA,
    clock: systemClock,
    timers: systemTimers,
    log: recordedLog(),
    metrics: recordedMetrics(),
    issuer: ISSUER,
    randomBytes,
  };
  const register = createWorkloadRegister(deps);
  t.after(() => register.close());
  return {
    register,
    enrolment: createEnrolment(deps),
    admission: createWorkloadAdmission(deps),
  };
}
