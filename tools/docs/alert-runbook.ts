/** The part of docs/operations.md that says of each alert what it means, where to look and what to do. */
import type { AlertGroup } from "../deploy/alert.ts";
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
  return alerts
    .map(
      ({ name, severity, means, look, act }) => `
### ${name}

*${severity}.* ${means}
**Look at**: ${look}
**Do**: ${act}
`,
    )
    .join("");
}
