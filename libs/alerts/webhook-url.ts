import { isIP } from 'node:net';
import type { EgressPolicy } from '#libs/platform/egress.js';

const MOST_CHARACTERS = 2048;
const PLAIN_HTTP = 'must be https: plain http needs an address listed in egress.allow';

/**
 * What is wrong with an address that messages are to be sent to, `null` when nothing is. Names are judged by their addresses
 * at each connection; a literal address is judged here already, and so is plain http to a name while no address is listed.
 */
export function faultOfWebhookUrl(text: string, policy: EgressPolicy): string | null {
  if (text.length > MOST_CHARACTERS) return `must have at most ${MOST_CHARACTERS} characters`;
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return 'must be an http or https URL';
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return 'must not contain a user or password';
  if (url.hash !== '') return 'must not contain #';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (/^(.+\.)?localhost\.?$/i.test(host)) {
    return policy.isAllowed('127.0.0.1') || policy.isAllowed('::1') ? null : 'must not lead to this machine';
  }
  if (isIP(host) === 0) {
    return url.protocol === 'https:' || policy.listsAny ? null : PLAIN_HTTP;
  }
  const verdict = policy.verdict(host);
  if (!verdict.allowed) return 'must not lead to an address that egress.allow does not list';
  return url.protocol === 'https:' || verdict.listed ? null : PLAIN_HTTP;
}
