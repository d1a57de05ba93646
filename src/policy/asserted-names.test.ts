import assert from "node:assert/strict";
import test from "node:test";
import { groupFault, roleFault } from "./asserted-names.ts";

const CORP = { name: "corp", bareRoles: ["AdminService"] };

test("roleFault() takes roles as policies see them, and no other spelling", () => {
  assert.equal(roleFault("AdminService", CORP), undefined);
  assert.equal(roleFault("corp/reader", CORP), undefined);
  assert.match(roleFault("corp/AdminService", CORP)?.remedy ?? "", /^"AdminService"/);
  assert.match(roleFault("AdminServise", CORP)?.remedy ?? "", /did you mean "AdminService"/);
  assert.match(roleFault("reader", CORP)?.remedy ?? "", /^"corp\/reader"/);
  assert.notEqual(roleFault("other/reader", CORP), undefined);
});

test("groupFault() takes groups behind the name of who asserts them", () => {
  assert.equal(groupFault("corp/staff", CORP), undefined);
  assert.match(groupFault("finance", CORP)?.message ?? "", /no group that corp asserts/);
});
