import assert from "node:assert/strict";
import test from "node:test";
import type { Vocabulary } from "../../model/vocabulary.ts";
import { verifyPolicies } from "../compile-policies.ts";
import type { PolicyFile } from "../policy-source.ts";
import { diffBundles, type DiffSide, isSame } from "./diff-bundles.ts";
import { diffText } from "./diff-text.ts";

const VOCABULARY: Vocabulary = {
  authenticators: [
    { name: "corp", kinds: ["user"], attributes: { external: "bool" }, bareRoles: ["Admin"] },
  ],
  services: [{ name: "billing", attributes: { public: false } }],
  routes: [{ name: "billing", service: "billing", attributes: {}, params: [] }],
};

const OPEN = '@id("open")\npermit (principal, action, resource);';
const ADMINS = `@id("admins") @owner("payments")
permit (
  principal is Sallyport::User in Sallyport::Role::"Admin",
  action in [Sallyport::Action::"read", Sallyport::Action::"POST"],
  resource in Sallyport::Service::"billing"
) when { context.path like "/a;{*" && ["when"].contains("unless") } unless { principal.external };`;

async function side(
  files: Readonly<Record<string, string>>,
  vocabulary: Vocabulary = VOCABULARY,
): Promise<DiffSide> {
  const list: PolicyFile[] = Object.entries(files).map(([name, text]) => ({ name, text }));
  const source = { files: list, vocabulary };
  const cedar = { files: list.filter(({ name }) => name.endsWith(".cedar")), vocabulary };
  const { verified, problems } = await verifyPolicies(cedar);
  assert.ok(verified !== undefined, JSON.stringify(problems));
  return { source, policies: verified.policies };
}

test("diffBundles() says nothing of comments, white space, places and order", async () => {
  const from = await side({ "a.cedar": `${OPEN}\n${ADMINS}` });
  const to = await side({
    "b.cedar": `// new place\n${ADMINS.replaceAll("\n", " ").replaceAll("  ", " ")}`,
    "c.cedar": OPEN,
  });
  const diff = diffBundles(from, to);
  assert.ok(isSame(diff), JSON.stringify(diff));
  assert.equal(diff.same, 2);
});

test("diffBundles() names the parts in which a policy has changed", async () => {
  const rows: [string, string, readonly string[]][] = [
    ["permit (", "forbid (", ["effect"]],
    ['Role::"Admin"', 'Role::"corp/Admin"', ["who"]],
    ['Action::"POST"', 'Action::"PUT"', ["what"]],
    ['in Sallyport::Service::"billing"', '== Sallyport::Route::"billing"', ["where"]],
    ["/a;{*", "/b;{*", ["conditions"]],
    ['@owner("payments")', '@owner("people")', ["annotations"]],
  ];
  for (const [was, is, parts] of rows) {
    const from = await side({ "a.cedar": ADMINS });
    const { policies } = diffBundles(from, await side({ "a.cedar": ADMINS.replace(was, is) }));
    assert.deepEqual(
      policies.map((change) => [change.id, change.parts]),
      [["admins", parts]],
      is,
    );
  }
});

test("diffText() says what was added, removed and changed, in words", async () => {
  const from = await side({ "a.cedar": `${OPEN}\n${ADMINS}`, "people.yaml": "roles:\n  A: 1\n" });
  const second = ADMINS.replace("/a;{*", "/b*").replace("{ principal.external }", "{ false }");
  const vocabulary = {
    ...VOCABULARY,
    services: [...VOCABULARY.services, { name: "more", attributes: {} }],
    routes: [],
    authenticators: VOCABULARY.authenticators.map((one) => ({ ...one, bareRoles: ["Admin", "B"] })),
  };
  const to = await side(
    {
      "a.cedar": second,
      "n.cedar": `\n@id("new") forbid (principal == Sallyport::User::"corp/a", action, resource is Sallyport::Route);`,
      "people.yaml": "roles:\n  B: 1\n",
    },
    vocabulary,
  );
  assert.equal(
    diffText(diffBundles(from, to)),
    `policies: 1 added, 1 removed, 1 changed, 0 as before

~ permit "admins"  a.cedar:1
    - when { context.path like "/a;{*" && ["when"].contains("unless") }
    - unless { principal.external }
    + when { context.path like "/b*" && ["when"].contains("unless") }
    + unless { false }

+ forbid "new"  n.cedar:2
    who    User::"corp/a"
    what   anything
    where  any Route

- permit "open"  a.cedar:1
    who    anybody
    what   anything
    where  anywhere

~ data people.yaml
    -   A: 1
    +   B: 1

~ authenticator "corp" has other words
+ service "more"
- route "billing"`,
  );
});
