import assert from "node:assert/strict";
import { test } from "node:test";
import { describeMissing, missing } from "./requirements.ts";

const NOWHERE = { program: "no-such-program", why: "is a peer", package: "some-package" };

test("missing() lists what is nowhere, and leaves out what is there", () => {
  assert.deepEqual(missing([NOWHERE, { program: "sh", why: "is everywhere" }]), [NOWHERE]);
});

test("describeMissing() says where each comes from, Debian's packages in one command", () => {
  const other = { program: "other", why: "makes load", package: "other" };
  const foreign = { program: "foreign", why: "is a peer", source: "build it" };
  const text = describeMissing([NOWHERE, other, foreign]);
  assert.match(text, /^ {2}no-such-program is a peer$/m);
  assert.match(text, /^ {2}foreign is a peer; build it$/m);
  assert.match(text, /^On Debian: apt-get install some-package other$/m);
  assert.doesNotMatch(describeMissing([foreign]), /apt-get/);
});
