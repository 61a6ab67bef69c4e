import { Controller, Get, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { originOf, Public } from '#libs/http/index.js';
import { AdminLinks, AdminSessions } from '#libs/keys-budgets/index.js';
import { AppError } from '#libs/platform/errors.js';
import { escapeHtml, sendPage } from './page.js';
import { isSameOrigin, sessionCookie, setSessionCookie } from './session-cookie.js';

/** Signing in with a one-time link, and signing out (IAM-4). */
@ApiExcludeController()
@Controller('auth')
export class AuthController {
  constructor(
    @Inject(AdminLinks) private readonly links: AdminLinks,
    @Inject(AdminSessions) private readonly sessions: AdminSessions,
  ) {}

  /** Only shows a button: link previews and prefetching must not use the link up. */
  @Get('link/:token')
  @Public('the page in front of a one-time link; it looks nothing up')
  page(@Param('token') token: string, @Res() reply: FastifyReply): void {
    sendPage(
      reply,
      200,
      'Sign in',
      `<h1>Sign in to Smartflow</h1>
<p>This link signs one browser in as administrator. It works once.</p>
<form method="post" action="/auth/link/${escapeHtml(encodeURIComponent(token))}"><button>Sign in</button></form>`,
    );
  }

  @Post('link/:token')
  @Public('the one-time link itself is the credential')
  async use(@Param('token') token: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    refuseForeignOrigin(request);
    const link = await this.links.consume(token, originOf(request));
    if (link === null) {
      sendPage(
        reply,
        404,
        'Link not valid',
        `<h1>This link is not valid</h1>
<p>It was used already, has expired (30 minutes) or was never made. Each start of the product prints a new one.</p>`,
      );
      return;
    }
    const session = await this.reachable(async () => {
      await this.end(request);
      return this.sessions.open({ orgId: link.orgId, role: 'proxy_admin', name: 'administrator' });
    });
    void reply.header('set-cookie', setSessionCookie(request, session.reveal())).redirect('/', 303);
  }

  @Post('logout')
  @HttpCode(303)
  @Public('ends nothing but the session of the cookie that comes with it')
  async logout(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    if (sessionCookie(request) !== null && !isSameOrigin(request)) throw new AppError('permission_denied');
    await this.reachable(() => this.end(request));
    void reply.header('set-cookie', setSessionCookie(request, null)).redirect('/', 303);
  }

  private async end(request: FastifyRequest): Promise<void> {
    const cookie = sessionCookie(request);
    if (cookie !== null) await this.sessions.close(cookie);
  }

  private async reachable<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw new AppError('store_unavailable', { cause: error });
    }
  }
}

/** A browser always sends Origin with a POST; another site must not sign somebody in. Scripts send none. */
function refuseForeignOrigin(request: FastifyRequest): void {
  if (request.headers.origin !== undefined && !isSameOrigin(request)) throw new AppError('permission_denied');
}
