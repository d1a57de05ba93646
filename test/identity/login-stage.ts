/** A proxy with a login at a rogue provider, and browsers that come to it. */
import { randomBytes } from "node:crypto";
import { type RogueProvider, type Roguery, ROGUE, startRogueProvider } from "../rogue-provider.ts";
import type { AuditRecord } from "../e2e/judge.ts";
import { type Stage, type StageOptions, startStage, until } from "../e2e/stage.ts";
import { Browser } from "./browser.ts";

export const APP = "https://api.example";

export interface LoginStage {
  readonly stage: Stage;
  readonly rogue: RogueProvider;
  /** The second provider, for routes that take both. */
  readonly second: RogueProvider;
  browser(): Browser;
  /** The decision record that an answer names, once it is in the log. */
  recordOf(shown: { readonly headers: Record<string, unknown> }): Promise<AuditRecord>;
  close(): Promise<void>;
}

const SECRET = "secret-of-the-client-canary";

export async function startLoginStage(
  extra: Partial<StageOptions> & { readonly roguery?: Roguery; readonly cookie?: string } = {},
): Promise<LoginStage> {
  const rogue = await startRogueProvider();
  Object.assign(rogue.roguery, extra.roguery);
  const second = await startRogueProvider({ name: "second" });
  const people = (name: string, issuer: string): string => `  ${name}:
    type: oidc
    issuer: ${issuer}
    label: "${name} & Co <b>"
    client: { id: ${ROGUE.clientId}, secret: "\${file:client.secret}" }
    principal: { kind: user }
    session: { keys: [{ file: session.key }]${extra.cookie === undefined ? "" : `, cookie: ${extra.cookie}`} }`;
  const stage = await startStage({
    listener: "    serve: [login]",
    secrets: { "client.secret": SECRET, "session.key": randomBytes(32).toString("base64") },
    authenticators: [people("people", rogue.issuer), people("partners", second.issuer)].join("\n"),
    ...extra,
    routes: `  - { name: app, path: "/app/*", service: recorder, authenticate: [people] }
  - { name: both, path: "/both/*", service: recorder, authenticate: [people, partners, test] }
  - { name: vault, path: "/vault/*", service: recorder, authenticate: [people] }
  - { name: never, path: "/never/*", service: recorder, authenticate: [people] }
${extra.routes ?? ""}`,
    policies: `
@id("people")
permit (principal is Sallyport::User, action, resource);

@id("vault")
@step_up("acr=gold max_age=300")
forbid (principal is Sallyport::User, action, resource == Sallyport::Route::"vault")
unless { context.authn has acr && context.authn.acr == "gold" && context.authn.age <= 300 };

@id("never")
forbid (principal is Sallyport::User, action, resource == Sallyport::Route::"never");
${extra.policies ?? ""}`,
  });
  return {
    stage,
    rogue,
    second,
    browser: () => new Browser(stage.proxy),
    async recordOf({ headers }) {
      const id = headers["sallyport-decision"];
      const find = (): AuditRecord | undefined =>
        stage.records().find(({ type, decisionId }) => type === "decision" && decisionId === id);
      await until(() => find() !== undefined);
      return find() as AuditRecord;
    },
    async close() {
      await stage.close();
      await rogue.close();
      await second.close();
    },
  };
}
