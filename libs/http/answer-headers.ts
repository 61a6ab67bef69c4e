import type { FastifyReply, FastifyRequest } from 'fastify';
import { newId } from '#libs/platform/ids.js';

/** Nothing may be loaded or framed: right for JSON and every answer that is no page. */
const NO_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/**
 * Begins an answer that is not the proxy's: gives the request an id of ours and sets the security headers. Pages put their own
 * content policy over the one for data. Doing it twice changes nothing.
 */
export function beginAnswer(request: FastifyRequest, reply: FastifyReply): void {
  if (reply.hasHeader('x-request-id')) return;
  request.id = newId('req');
  void reply.headers({
    'x-request-id': request.id,
    'cache-control': 'no-store',
    'content-security-policy': NO_CONTENT_POLICY,
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
    ...(request.protocol === 'https' ? { 'strict-transport-security': 'max-age=31536000' } : {}),
  });
}
