import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { confirm } from "./confirm.ts";
import { rotateRoot } from "./keys.ts";

const intent = { yes: false, warning: "Everything ends." };

function typed(text: string, isTTY = true) {
  const input = Object.assign(new PassThrough(), { isTTY });
  input.end(text);
  return { input, output: new PassThrough() };
}

test("confirm() goes on with --yes and with a yes that was typed, and with nothing else", async () => {
  await confirm({ ...intent, yes: true }, typed("", false));
  await confirm(intent, typed("yes\n"));
  for (const text of ["no\n", "y\n", "\n", ""]) {
    await assert.rejects(confirm(intent, typed(text)), { message: "nothing was done" });
  }
});

test("confirm() refuses where there is no terminal, and says what would happen", async () => {
  await assert.rejects(confirm(intent, typed("yes\n", false)), {
    code: "admin-call-failed",
    message: "Everything ends.\nTo do that: --yes",
  });
});

test("rotateRoot() in an emergency asks before it connects, and says how machines come back", async () => {
  const options = { config: "/nonexistent", admin: "/nonexistent", emergency: true, yes: false };
  await assert.rejects(rotateRoot(options, typed("yes\n", false)), {
    message: /workloads re-enrol NAME[^]*sallyport enrol[^]*--yes/,
  });
});
