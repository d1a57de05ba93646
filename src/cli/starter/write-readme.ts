/** Writes the README.md of a starter: what each file is for and what to do next. */
import { type StarterPlan, STARTER_AUTHENTICATOR, STARTER_KEY } from "./plan.ts";

export function writeReadme(plan: StarterPlan): string {
  const [first] = plan.services;
  const example = first?.routes[0]?.path.replace("*", "") ?? "/";
  return `# This gate

| file | what it is for |
| --- | --- |
| \`sallyport.yaml\` | listeners, who vouches for callers, services, and the routes to them |
${plan.services.map(({ name }) => `| \`policies/${name}.cedar\` | who may use ${name} |\n`).join("")}${describedRows(plan)}${plan.authority ? KEY_ROWS : ""}| \`data/audit/\` | every decision and every completed request, once it runs |

## Next

1. In \`sallyport.yaml\`, see that \`issuer\` and \`audience\` are those of your identity provider and
   \`endpoints\` those of your services.
2. \`sallyport check\` says what is wrong, at its line. Run it after each change.
3. \`sallyport run\` starts the gate.
4. Ask it:

\`\`\`sh
curl -i http://127.0.0.1:8080${example}                                     # 401: no credential
curl -i -H "authorization: Bearer $TOKEN" http://127.0.0.1:8080${example}   # what the policies say
\`\`\`

A token of ${plan.issuer} whose \`roles\` claim holds
\`${first?.name ?? "service"}-reader\` may read ${first?.name ?? "the service"}: the policies call that role
\`Sallyport::Role::"${STARTER_AUTHENTICATOR}/${first?.name ?? "service"}-reader"\`, because \`${STARTER_AUTHENTICATOR}\` vouches for it. What no policy permits is denied;
the answer's \`decision\` is the id of the record in \`data/audit/\` that says why.
${plan.authority ? STATE : ""}${plan.notes.length === 0 ? "" : `\n## What was not taken over\n\n${plan.notes.map((note) => `- ${note}\n`).join("")}`}`;
}

function describedRows({ services }: StarterPlan): string {
  const described = services.filter((service) => service.described !== undefined);
  const rows = described.flatMap(({ name, described: { openapi } = { openapi: undefined } }) => [
    ...(openapi === undefined
      ? []
      : [`| \`${openapi.path}\` | the operations of ${name}: actions in policies |\n`]),
    `| \`tests/${name}.yaml\` | what the policies are to say; \`sallyport test\` runs it |\n`,
  ]);
  if (rows.length > 0)
    rows.push("| `data/teams.yaml` | who has which role, where tokens do not say it |\n");
  return rows.join("");
}

const KEY_ROWS = `| \`${STARTER_KEY}\` | the key that secrets in the store are sealed under: keep a copy elsewhere, and out of version control |
| \`data/state/\` | signing keys, revocations and enrolled machines, once it runs |
`;

const STATE = `
## Every day

In this folder, while \`sallyport run\` runs; \`run/admin.sock\` is how they reach it:

| to… | do |
| --- | --- |
| see how it is | \`sallyport status\` |
| take away what somebody was issued until now | \`sallyport revocations revoke --authenticator ${STARTER_AUTHENTICATOR} --subject NAME --reason TEXT\` |
| … and what will be issued, until it is lifted | \`sallyport revocations block --authenticator ${STARTER_AUTHENTICATOR} --subject NAME --reason TEXT\` |
| see what is taken away, and give it back | \`sallyport revocations list\`, \`sallyport revocations lift ID\` |
| put changed files in force | \`sallyport check\`, then \`sallyport reload\` |
| back up the state | \`sallyport store backup FILE\`, a whole copy while it runs; it is of no use without \`${STARTER_KEY}\`, so keep a copy of that too, elsewhere |
| restore it | stop the gate, \`sallyport store restore FILE --replace\`, then revoke again what was revoked since |
`;
