import type { FailureClass } from '#libs/platform/config.js';

/** Codes of Node.js and undici for a call that never got an answer or lost it, by what they mean here. */
const BY_CODE: Readonly<Record<string, FailureClass>> = {
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  EAI_NODATA: 'dns',
  ENODATA: 'dns',
  ESERVFAIL: 'dns',
  EGRESS_REFUSED: 'dns', // the address found is not one the gateway may call (libs/platform/egress)
  ECONNREFUSED: 'connect',
  ECONNRESET: 'connect',
  ECONNABORTED: 'connect',
  EHOSTUNREACH: 'connect',
  ENETUNREACH: 'connect',
  EHOSTDOWN: 'connect',
  EPIPE: 'connect',
  ETIMEDOUT: 'connect',
  UND_ERR_CONNECT_TIMEOUT: 'connect',
  UND_ERR_SOCKET: 'connect',
  UND_ERR_HEADERS_TIMEOUT: 'first_byte_timeout',
  UND_ERR_BODY_TIMEOUT: 'stall',
  UND_ERR_HEADERS_OVERFLOW: 'bad_answer',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'cut',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'bad_answer',
  EPROTO: 'tls',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls',
  UNABLE_TO_GET_ISSUER_CERT: 'tls',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'tls',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls',
};

/** How far an answer had come when its call failed. */
export type AnswerStage = 'none' | 'started' | 'content';

/**
 * The class of a failed connection, from the error that Node.js or undici gave. `stage`: `none` before a status line,
 * `started` after it, `content` once the caller has been sent content: from then on it is a late failure, whatever it is.
 */
export function classifyFault(error: unknown, stage: AnswerStage): FailureClass {
  const found = classOf(error);
  if (stage === 'none') return found ?? 'connect';
  const isStall = found === 'stall' || found === 'first_byte_timeout';
  if (stage === 'content') return isStall ? 'late_stall' : 'late_cut';
  if (isStall) return 'stall';
  return found === 'bad_answer' ? found : 'cut';
}

/** Looks through causes and the parts of an `AggregateError` (one per address that was tried). */
function classOf(error: unknown): FailureClass | null {
  let current: unknown = error;
  for (let depth = 0; depth < 5 && typeof current === 'object' && current !== null; depth++) {
    const { code, name, cause, errors } = current as Readonly<Record<string, unknown>>;
    if (name === 'HTTPParserError') return 'bad_answer'; // its code is that of the parser, or none
    if (typeof code === 'string') {
      if (Object.hasOwn(BY_CODE, code)) return BY_CODE[code] as FailureClass;
      if (/^(ERR_TLS_|ERR_SSL_|CERT_)/.test(code)) return 'tls';
      if (code.startsWith('HPE_')) return 'bad_answer';
    }
    current = cause ?? (Array.isArray(errors) ? (errors as readonly unknown[])[0] : undefined);
  }
  return null;
}
