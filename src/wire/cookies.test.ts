import { strict as assert } from "node:assert";
import test from "node:test";
import { cutCookies, parseCookies } from "./cookies.ts";

test("parseCookies() splits pairs in order and decodes nothing", () => {
  assert.deepEqual(parseCookies('a=1; b="x=y";; c ; =d; e = f ;a=%20'), [
    { name: "a", value: "1" },
    { name: "b", value: '"x=y"' },
    { name: "", value: "c" },
    { name: "", value: "d" },
    { name: "e", value: "f" },
    { name: "a", value: "%20" },
  ]);
  assert.deepEqual(parseCookies(""), []);
});

test("cutCookies() cuts ours in any case and leaves the others as they are", () => {
  const cut = (header: string): string | undefined => cutCookies(header, "sallyport-");
  assert.equal(cut("a=1; b=sallyport-x;  c=3"), "a=1; b=sallyport-x;  c=3");
  assert.equal(cut("a=1; sallyport-session=x; c=3"), "a=1; c=3");
  assert.equal(cut("Sallyport-Session=x; a=1"), "a=1");
  assert.equal(cut("a=1;sallyport-a=x;\tsallyport-b=y"), "a=1");
  assert.equal(cut("sallyport-session=x"), undefined);
  assert.equal(cut("sallyport-session"), undefined);
});
