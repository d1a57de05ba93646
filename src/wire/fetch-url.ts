/**
 * Which URLs keys and policies may be fetched from: https, or http on loopback. Whoever can change a key set on
 * its way can forge every token of its issuer.
 */

/** What would be right, or undefined when the URL is. */
export function whyNotFetched(text: string, insecureHttp: boolean): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    return "an https: URL";
  }
  if (url.username !== "" || url.password !== "") return "a URL without a user name or password";
  if (url.hash !== "") return "a URL without '#'";
  if (url.protocol === "http:" && !insecureHttp && !isLoopback(url.hostname)) {
    return "an https: URL; http: only on loopback, or with insecureHttp: true";
  }
  return undefined;
}

/** The URL parser has already brought every spelling of an IPv4 address into dotted form. */
function isLoopback(hostname: string): boolean {
  return (
    hostname === "localhost" ||
    hostname === "[::1]" ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
  );
}
