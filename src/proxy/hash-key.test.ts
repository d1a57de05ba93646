import assert from "node:assert/strict";
import { test } from "node:test";
import type { Permit } from "../gate/decision.ts";
import type { Fields } from "../model/http.ts";
import { ANONYMOUS, type Principal } from "../model/principal.ts";
import { createHashKey } from "./hash-key.ts";

const WORKLOAD: Principal = { ...ANONYMOUS, kind: "workload", authenticator: "corp", subject: "a" };

function permit(principal: Principal, fields: Fields): Permit {
  return { principal, request: { head: { fields } } } as unknown as Permit;
}

test("createHashKey() reads the principal, a header or a cookie", () => {
  const fields = ["x-tenant", "blue", "cookie", "a=1; session=s1; b=2"];
  const principal = createHashKey({ by: "principal", maxLoad: 150 });
  const header = createHashKey({ by: "header", name: "x-tenant", maxLoad: 150 });
  const cookie = createHashKey({ by: "cookie", name: "session", maxLoad: 150 });
  const request = permit(WORKLOAD, fields);
  assert.deepEqual(
    [principal(request), header(request), cookie(request)],
    ["corp/a", "blue", "s1"],
  );
});

test("createHashKey() gives none where the request has none: all strangers are not one caller", () => {
  const request = permit(ANONYMOUS, ["cookie", "other=1"]);
  assert.equal(createHashKey({ by: "principal", maxLoad: 150 })(request), undefined);
  assert.equal(createHashKey({ by: "header", name: "x-tenant", maxLoad: 150 })(request), undefined);
  assert.equal(createHashKey({ by: "cookie", name: "session", maxLoad: 150 })(request), undefined);
  assert.equal(
    createHashKey({ by: "cookie", name: "session", maxLoad: 150 })(permit(ANONYMOUS, [])),
    undefined,
  );
});
