/**
 * The few pages that a person sees of us: which provider to log in at, why that failed, and logging out. Small,
 * readable by anybody (landmarks, headings, labels, contrast, no colour alone), without a script; what they may
 * load and who may frame them is nobody.
 */
import { hash } from "node:crypto";
import { type Reason, reasonInfo } from "../model/reason.ts";

export interface Page {
  readonly fields: readonly string[];
  readonly body: string;
}

const STYLE = `:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;margin:0;display:grid;min-height:100vh;place-items:center}main{max-width:28rem;padding:1.5rem}h1{font-size:1.4rem}ul{list-style:none;padding:0}a.way,button{display:block;box-sizing:border-box;width:100%;font:inherit;text-align:center;padding:.75rem 1rem;margin:.5rem 0;border:1px solid;border-radius:.4rem;background:none;color:inherit;text-decoration:none;cursor:pointer}a.way:hover,button:hover,a:focus-visible,button:focus-visible{outline:3px solid Highlight;outline-offset:2px}code{overflow-wrap:anywhere}`;

const STYLE_HASH = hash("sha256", STYLE, "base64");

/** One way to log in, as the chooser shows it. */
export interface ShownWay {
  readonly label: string;
  readonly href: string;
}

export function chooserPage(ways: readonly ShownWay[]): Page {
  const items = ways.map(
    ({ label, href }) => `<li><a class="way" href="${escaped(href)}">${escaped(label)}</a></li>`,
  );
  return page("Log in", `<p>Log in with:</p>\n<ul>\n${items.join("\n")}\n</ul>`);
}

/** Says what a problem document says, and where to begin again. */
export function failurePage(reason: Reason, decisionId: string, again: string | undefined): Page {
  const { title } = reasonInfo(reason);
  const retry =
    again === undefined ? "" : `\n<p><a class="way" href="${escaped(again)}">Try again</a></p>`;
  return page(
    "You are not logged in",
    `<p>${escaped(title)}.</p>${retry}
<p>If you ask for help, name the reason <code>${escaped(reason)}</code> and the decision <code>${escaped(decisionId)}</code>.</p>`,
  );
}

/** `providers`: origins to which the answer to the form may lead. */
export function logoutPage(action: string, providers: readonly string[]): Page {
  return page(
    "Log out",
    `<form method="post" action="${escaped(action)}"><button>Log out</button></form>`,
    // A form's answer that leads elsewhere counts as the form's target (CSP level 3, form-action).
    `'self' ${providers.join(" ")}`.trim(),
  );
}

export function loggedOutPage(): Page {
  return page("You are logged out", "<p>You can close this page.</p>");
}

export function loggedInPage(): Page {
  return page("You are logged in", "<p>You can close this page.</p>");
}

/**
 * Goes on by itself. For session cookies with `SameSite=Strict`: a redirect would still be a part of the way from
 * the provider's site, on which they are not sent; a page of ours that goes on is not.
 */
export function onwardPage(href: string): Page {
  const { fields, body } = page(
    "You are logged in",
    `<p><a class="way" href="${escaped(href)}">Go on</a></p>`,
  );
  const refresh = `<meta http-equiv="refresh" content="0;url=${escaped(href)}">`;
  return { fields, body: body.replace("<title>", `${refresh}\n<title>`) };
}

function page(heading: string, content: string, formAction = "'none'"): Page {
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${STYLE_HASH}'`,
    "base-uri 'none'",
    `form-action ${formAction}`,
    "frame-ancestors 'none'",
  ].join("; ");
  return {
    fields: [
      "content-type",
      "text/html; charset=utf-8",
      "content-security-policy",
      policy,
      "x-content-type-options",
      "nosniff",
      "x-frame-options",
      "DENY",
    ],
    body: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(heading)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escaped(heading)}</h1>
${content}
</main>
</body>
</html>
`,
  };
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
