/**
 * Providers sign their reasoning and want it back unchanged in the next turn. A caller of another dialect carries a foreign
 * signature in its own dialect's place for one, marked so that it is told from a native one and never sent to the wrong
 * provider. Pure text: nothing is stored between the turns.
 */
export interface Signature {
  readonly by: Signer;
  readonly value: string;
}

/**
 * `anthropic_redacted`: the `data` of a block whose text is withheld. `openai`: item id and encrypted content. `unsigned`:
 * reasoning of a provider that signs nothing, marked all the same, so that it is never taken for a native one.
 */
export type Signer = 'anthropic' | 'anthropic_redacted' | 'gemini' | 'openai' | 'unsigned';

const SIGNERS: ReadonlySet<string> = new Set(['anthropic', 'anthropic_redacted', 'gemini', 'openai', 'unsigned']);
/** Twelve bytes: exactly sixteen characters of base64, so that the mark can be told without decoding. */
const MARK = Buffer.from('smartflow/1:').toString('base64');

/** What every signature carried for another provider begins with. */
export const SIGNATURE_MARK = MARK;

/** The text that stands in the place of a signature of `native`'s dialect. */
export function writeSignature(signature: Signature, native: Signer): string {
  if (signature.by === native) return signature.value;
  return MARK + Buffer.from(`${signature.by}:${signature.value}`).toString('base64');
}

/** The signature in `text`; one without our mark is `native`'s own. */
export function readSignature(text: string, native: Signer): Signature {
  if (!text.startsWith(MARK)) return { by: native, value: text };
  const inner = Buffer.from(text.slice(MARK.length), 'base64').toString();
  const colon = inner.indexOf(':');
  const by = inner.slice(0, colon);
  return SIGNERS.has(by) ? { by: by as Signer, value: inner.slice(colon + 1) } : { by: native, value: text };
}

/** Stands where a dialect wants a signature and there is none. */
export const UNSIGNED = writeSignature({ by: 'unsigned', value: '' }, 'anthropic');
