export const MASK = '[secret]';

/**
 * What looks like a credential wherever it stands in a text. The first group, where there is one, stays readable.
 * All patterns run in linear time: no nested repetition, and every repetition ends at the first character it excludes.
 */
const CREDENTIALS: readonly RegExp[] = [
  // scheme://user:password@host
  /(:\/\/)[^\s/"'\\]{1,512}@/g,
  // ?key=… and its like (Gemini carries the key in the query)
  /([?&](?:key|api[-_]?key|(?:access_|refresh_|id_)?token|password|secret|client_secret|code|sig|signature)=)[^&\s"'\\#]+/gi,
  // authorization values
  /(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}/gi,
  // our own tokens and those of the providers: sk-sf-…, sk-ant-…, sk-proj-…, sf_admin_…, smcp_…, AIza…, gsk_…, xai-…, hf_…
  /\bsk-[A-Za-z0-9_-]{6,}/g,
  /\b(?:sf_admin|smcp_key|smcp_agent|scim|gsk|hf|ghp|gho|github_pat)_[A-Za-z0-9_]{8,}/g,
  /\bxai-[A-Za-z0-9_-]{8,}/g,
  /\bAIza[A-Za-z0-9_-]{16,}/g,
  /\bya29\.[A-Za-z0-9._-]{8,}/g,
  // JSON web tokens
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?/g,
];

/** The text with everything that looks like a credential replaced by `[secret]`. */
export function scrub(text: string): string {
  let clean = text;
  for (const pattern of CREDENTIALS) clean = clean.replace(pattern, replacement);
  return clean;
}

function replacement(match: string, ...rest: unknown[]): string {
  const kept = typeof rest[0] === 'string' ? rest[0] : '';
  return `${kept}${MASK}${match.endsWith('@') ? '@' : ''}`;
}
