/** The table and the sections of docs/findings.md that say what each finding is, from the catalogue. */
import { FINDING_CATALOGUE } from "../../src/policy/findings/catalogue.ts";

const TABLE = ["<!-- findings: written by npm run docs -->\n", "<!-- /findings -->"] as const;

/**
 * The page with what the catalogue says: the table, and below the heading of each finding three lines.
 * What stands behind them (the example) is written by hand. Throws TypeError for a finding without a
 * heading, and for a heading without a finding.
 */
export function withFindings(page: string): string {
  const [begin, end] = TABLE;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new TypeError("docs/findings.md has no place for the table");
  const headings = [...page.matchAll(/^### `([a-z-]+)`$/gm)].map((match) => match[1] ?? "");
  const ids = FINDING_CATALOGUE.map(({ id }) => id);
  if (headings.join(" ") !== ids.join(" ")) {
    throw new TypeError(
      `docs/findings.md has the sections ${headings.join(", ")}; ${ids.join(", ")}`,
    );
  }
  const rows = FINDING_CATALOGUE.map(
    ({ id, severity, title }) => `| [\`${id}\`](#${id}) | ${severity} | ${title} |`,
  );
  const table = ["| id | severity | |", "| --- | --- | --- |", ...rows].join("\n");
  return FINDING_CATALOGUE.reduce(
    withSection,
    `${page.slice(0, from)}${begin}${table}\n${page.slice(to)}`,
  );
}

function withSection(
  page: string,
  { id, severity, proves, silence, remedy }: (typeof FINDING_CATALOGUE)[number],
): string {
  const heading = `### \`${id}\`\n`;
  const at = page.indexOf(heading) + heading.length;
  const next = /^#{2,3} /m.exec(page.slice(at))?.index ?? page.length - at;
  const section = page.slice(at, at + next);
  const said = [
    `Severity: ${severity}. **Proved**: ${proves}`,
    `**Silence** does not prove: ${silence}`,
    `**Remedy**: ${remedy}.`,
  ];
  const kept = section.includes(MARK) ? section.slice(section.indexOf(MARK)) : `${MARK}\n\n`;
  return `${page.slice(0, at)}\n${said.join("\n\n")}\n\n${kept}${page.slice(at + next)}`;
}

/** What stands behind it is not ours. */
const MARK = "<!-- example -->";
