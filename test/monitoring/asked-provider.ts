/** Tokens that say nothing by themselves: a provider is asked about each (introspection), and fails now and then. */
import type { TestContext } from "node:test";
import { AUDIENCE } from "../e2e/test-issuer.ts";
import { startIntrospectionProvider } from "../introspection-provider.ts";
import { bearer, call, type Part } from "./part.ts";

const SECRET = "secret-of-the-proxy";

export async function startAskedProvider(t: Pick<TestContext, "after">): Promise<Part> {
  const provider = await startIntrospectionProvider({
    clients: { sallyport: { secret: SECRET, method: "basic" } },
  });
  t.after(() => provider.close());
  return {
    options: {
      authenticators: `  legacy:
    type: introspection
    endpoint: ${provider.origin}/introspect
    client: { id: sallyport, secret: "\${file:legacy}" }
    audience: [${AUDIENCE}]
    principal: { kind: workload }
`,
      routes: `  - { name: opaque, path: "/opaque/*", service: recorder, authenticate: [legacy] }\n`,
      policies: `
@id("opaque") permit (principal is Sallyport::Workload, action, resource == Sallyport::Route::"opaque");
`,
    },
    secrets: { legacy: SECRET },
    round({ stage }, round) {
      if (round % 3 !== 0) return [];
      const token = `opaque-${round}`;
      const exp = Math.floor(Date.now() / 1000) + 300;
      if (round % 12 !== 0) provider.tokens.set(token, { sub: "batch", aud: AUDIENCE, exp });
      provider.misbehave =
        round % 21 === 0 ? (_request, response) => response.writeHead(503).end() : undefined;
      return [call(stage.proxy, "/opaque/x", bearer(token))];
    },
  };
}
