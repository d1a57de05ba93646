import assert from "node:assert/strict";
import { test } from "node:test";
import { createRouter } from "../gate/router.ts";
import type { GateRoute } from "../gate/snapshot.ts";
import type { CanonicalRequest } from "../model/http.ts";
import { originOf } from "./login-origin.ts";

const hosts = [undefined, "shop.example", "*.teams.example"];
const router = createRouter(
  hosts.map((host) => ({
    name: "app",
    host,
    path: "/*",
    methods: undefined,
    value: {} as GateRoute,
  })),
  ["GET"],
);
const PUBLIC = "https://app.example";

/** Whom a request was sent to, and where a provider is told to send the browser back. */
const ORIGINS: readonly (readonly [string, string, string | undefined])[] = [
  ["app.example", PUBLIC, PUBLIC],
  ["evil.example", PUBLIC, PUBLIC],
  ["app.example:8443", PUBLIC, PUBLIC],
  ["127.0.0.1:8080", PUBLIC, PUBLIC],
  ["teams.example", PUBLIC, PUBLIC],
  ["evilteams.example", PUBLIC, PUBLIC],
  ["shop.example.evil.example", PUBLIC, PUBLIC],
  ["shop.example", "https://shop.example", PUBLIC],
  ["red.teams.example", "https://red.teams.example", PUBLIC],
  ["a.red.teams.example:8443", "https://a.red.teams.example:8443", PUBLIC],
  ["evil.example", "http://evil.example", undefined],
];

for (const [authority, expected, configured] of ORIGINS) {
  test(`originOf() a request to ${authority} with publicOrigin ${configured ?? "left out"} is ${expected}`, () => {
    const host = authority.replace(/:[0-9]+$/, "");
    const request = { listener: "edge", scheme: "http", authority, host } as CanonicalRequest;
    const origins = configured === undefined ? undefined : new Map([["edge", configured]]);
    assert.equal(originOf(request, { origins, router }), expected);
  });
}
