import assert from "node:assert/strict";
import test from "node:test";
import { whyNotFetched } from "./fetch-url.ts";

test("whyNotFetched() lets keys come over https, and over http from loopback", () => {
  for (const url of [
    "https://login.example.com/jwks",
    "https://login.example.com:8443/a?b=c",
    "http://127.0.0.1:9000/jwks",
    "http://127.9.9.9/jwks",
    "http://[::1]:9000/jwks",
    "http://localhost/jwks",
  ]) {
    assert.equal(whyNotFetched(url, false), undefined, url);
  }
});

test("whyNotFetched() refuses what could be changed on the way, or hides something", () => {
  for (const url of [
    "http://login.example.com/jwks",
    "http://10.0.0.1/jwks",
    "http://128.0.0.1/",
    "http://localhost.example.com/",
    "http://127.0.0.1.example.com/",
    "http://[::2]/",
    "ftp://login.example.com/",
    "data:application/json,{}",
    "login.example.com/jwks",
    "https://user:pass@login.example.com/jwks",
    "https://user@login.example.com/jwks",
    "https://login.example.com/jwks#a",
    "",
  ]) {
    assert.notEqual(whyNotFetched(url, false), undefined, url);
  }
});

test("whyNotFetched() lets plain http pass only with insecureHttp", () => {
  assert.equal(whyNotFetched("http://login.example.com/jwks", true), undefined);
  assert.notEqual(whyNotFetched("ftp://login.example.com/jwks", true), undefined);
  assert.notEqual(whyNotFetched("http://a:b@login.example.com/jwks", true), undefined);
});
