import assert from "node:assert/strict";
import { request } from "node:http";
import type { Example, World } from "../example.ts";
import { startService } from "../services.ts";

const APP = "https://app.example.com";

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** As a browser does it: `fetch` would not let us write these fields. */
function ask(world: World, line: string, headers: Record<string, string>): Promise<Answer> {
  const [method, path] = line.split(" ");
  const [host, port] = world.address("edge").split(":");
  return new Promise((resolve, reject) => {
    request({ host, port, method, path, headers, agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers }));
    })
      .on("error", reject)
      .end();
  });
}

export const example: Example = {
  prepare: (ground) =>
    startService(ground, 9001, "orders", (_request, response) => {
      response.setHeader("access-control-allow-origin", "https://evil.example");
      return false;
    }),
  tries: [
    {
      shows: "the proxy answers the preflight of a page that may call",
      async run(world) {
        const preflight = { origin: APP, "access-control-request-method": "PUT" };
        const { status, headers } = await ask(world, "OPTIONS /orders/1", preflight);
        assert.equal(status, 204);
        assert.equal(headers["access-control-allow-origin"], APP);
        assert.equal(headers["access-control-allow-methods"], "GET, PUT");
        assert.equal(headers["access-control-max-age"], "3600");
      },
    },
    {
      shows: "a page that may not is told nothing",
      async run(world) {
        for (const origin of ["https://evil.example", "https://app.example.com.evil.example"]) {
          const preflight = { origin, "access-control-request-method": "PUT" };
          const { headers } = await ask(world, "OPTIONS /orders/1", preflight);
          assert.equal(headers["access-control-allow-origin"], undefined);
          const answer = await ask(world, "GET /orders/1", { origin });
          assert.equal(answer.headers["access-control-allow-origin"], undefined);
          assert.equal(answer.headers["vary"], "origin");
        }
      },
    },
    {
      shows: "what the service says of origins is replaced",
      async run(world) {
        const { headers } = await ask(world, "GET /orders/1", { origin: APP });
        assert.equal(headers["access-control-allow-origin"], APP);
        assert.equal(headers["access-control-expose-headers"], "sallyport-decision, x-total");
      },
    },
    {
      shows: "the page can read why it was refused",
      async run(world) {
        const { status, headers } = await ask(world, "PUT /orders/1", { origin: APP });
        assert.equal(status, 403);
        assert.equal(headers["access-control-allow-origin"], APP);
      },
    },
    {
      shows: "what is open to everybody is open to every page",
      async run(world) {
        const { headers } = await ask(world, "GET /status", { origin: "https://any.example" });
        assert.equal(headers["access-control-allow-origin"], "*");
      },
    },
  ],
};
