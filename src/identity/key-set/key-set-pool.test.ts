import assert from "node:assert/strict";
import test from "node:test";
import { keySetOf, testKey } from "../../../test/issuer.ts";
import { recordedLog } from "../../../test/ports.ts";
import { parseJson } from "../../model/json.ts";
import { createKeySetPool } from "./key-set-pool.ts";
import { createFixedKeySet, type KeySet } from "./key-set.ts";

function fixture() {
  const made: string[] = [];
  const create = (id: string) => (): KeySet => {
    made.push(id);
    const document = parseJson(JSON.stringify(keySetOf(testKey("a", "ES256"))));
    return createFixedKeySet(document, { authenticator: "corp", log: recordedLog() });
  };
  return { made, create, pool: createKeySetPool() };
}

test("key set pool makes one set for an id and gives it to all who open it", () => {
  const { made, create, pool } = fixture();
  const first = pool.open("x", create("x"));
  const second = pool.open("x", create("x"));
  pool.open("y", create("y"));
  assert.deepEqual(made, ["x", "y"]);
  assert.deepEqual(first.find("a", "ES256"), second.find("a", "ES256"));
});

test("key set pool closes a set when its last user has, and makes it anew after that", () => {
  const { made, create, pool } = fixture();
  const first = pool.open("x", create("x"));
  const second = pool.open("x", create("x"));
  const [key] = second.find("a", "ES256") as readonly { readonly valid: () => boolean }[];
  first.close();
  first.close();
  assert.equal(first.find("a", "ES256"), "unavailable", "who closed it has it no more");
  assert.equal(key?.valid(), true, "closing twice takes nothing from the other");
  second.close();
  assert.equal(key?.valid(), false);
  pool.open("x", create("x"));
  assert.deepEqual(made, ["x", "x"]);
});
