/** Which of the two text formats a scraper is answered in (RFC 9110 section 12.5.1). */

/** OpenMetrics 1.0. */
export const OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** The older Prometheus text format, for scrapers that do not name OpenMetrics. */
export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Whether `Accept` names OpenMetrics with a weight that is not below that of `text/plain`. */
export function prefersOpenMetrics(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  const open = weightOf(accept, "application/openmetrics-text");
  return open > 0 && open >= weightOf(accept, "text/plain");
}

function weightOf(accept: string, type: string): number {
  let best = 0;
  for (const range of accept.split(",")) {
    const [name = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    if (name !== type) continue;
    const quality = parameters.find((parameter) => parameter.startsWith("q="));
    const weight = quality === undefined ? 1 : Number(quality.slice(2));
    if (weight > best && weight <= 1) best = weight;
  }
  return best;
}
