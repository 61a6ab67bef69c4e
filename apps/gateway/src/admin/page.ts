import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';

/** Text made safe for HTML content and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 40rem; margin: 4rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; }
button { font: inherit; padding: .5rem 1.25rem; border-radius: .375rem; border: 1px solid currentColor; cursor: pointer; }
code { overflow-wrap: anywhere; }
footer { margin-top: 3rem; font-size: .875rem; opacity: .75; }
`;
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** No script at all; the one style is known by its hash; forms go to this server only. */
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`;

/** Sends a small page. `body` is HTML whose variable parts went through `escapeHtml`. */
export function sendPage(reply: FastifyReply, status: number, title: string, body: string): void {
  void reply
    .code(status)
    .headers({ 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY })
    .send(
      `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)} · Smartflow</title>
<style>${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`,
    );
}
