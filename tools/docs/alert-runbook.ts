/** The part of docs/operations.md that says of each alert when it fires, what that means, where to look and what to do. */
import type { Alert, AlertGroup } from "../deploy/alert.ts";
import { ALERT_GROUPS } from "../deploy/alerts.ts";

const BEGIN = "<!-- alerts: written by `npm run docs` from tools/deploy -->\n";
const END = "<!-- end of alerts -->\n";

export function withAlerts(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin === -1 || end < begin) throw new Error("docs/operations.md has no place for alerts");
  return page.slice(0, begin + BEGIN.length) + ALERT_GROUPS.map(section).join("") + page.slice(end);
}

function section({ alerts }: AlertGroup): string {
  return alerts.map(entry).join("");
}

function entry({ name, severity, for: lasting, summary, expr, means, look, act }: Alert): string {
  const when = lasting === "0m" ? "at once" : `after ${lasting}`;
  return `
### ${name}

*${severity}, ${when}.* ${readable(summary)}.

- **When**: \`${expr}\`
- **Means**: ${means}
- **Look at**: ${look}
- **Do**: ${act}
`;
}

/** Its template, without what Prometheus fills in. */
function readable(summary: string): string {
  return summary
    .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, "*$1*")
    .replaceAll(/\{\{ \$value[^}]*\}\}B?/g, "*value*");
}
