import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Public } from '#libs/http/index.js';
import { AccessControl } from './access-control.js';
import { escapeHtml, sendPage } from './page.js';
import { productVersion } from '#libs/platform/product-version.js';

/** The first page: what runs here and where its parts are. */
@ApiExcludeController()
@Controller()
export class LandingController {
  constructor(@Inject(AccessControl) private readonly control: AccessControl) {}

  @Get()
  @Public('says what runs here and links to the documentation; shows nothing that belongs to anybody')
  async landing(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    // A page that says "not signed in" is better than none while Redis is away.
    const session = await this.control.session(request).catch(() => null);
    const signedIn =
      session === null
        ? `<p>You are not signed in. The start of the product prints a one-time admin link; scripts send
<code>Authorization: Bearer sf_admin_…</code>.</p>`
        : `<p>You are signed in as <strong>${escapeHtml(session.name)}</strong> (${escapeHtml(session.role)}).</p>
<ul><li><a href="/api/keys">Virtual keys</a></li><li><a href="/api/tokens">API tokens</a></li><li><a href="/api/logs">Log of calls</a></li></ul>
<form method="post" action="/auth/logout"><button>Sign out</button></form>`;
    sendPage(
      reply,
      200,
      'Gateway',
      `<h1>Smartflow AI gateway</h1>
${signedIn}
<ul>
<li><a href="/api/docs">Admin API</a> (<a href="/api/openapi.json">OpenAPI</a>)</li>
<li><a href="/health/ready">Health</a></li>
</ul>
<p>Models are served at <code>/v1</code> (OpenAI), <code>/anthropic</code> (Anthropic), <code>/gemini</code> (Gemini) and
<code>/cursor</code> with a virtual key.</p>
<footer>Version ${escapeHtml(productVersion())}</footer>`,
    );
  }
}
