const MASK = '[secret]';
/** Shorter values (`prod`, `v2`) are no credentials: taking them out would only damage text. */
const MIN_CREDENTIAL_BYTES = 8;

/** An upstream's text may quote the credential it was given; it must not reach a caller. Everything else stays. */
export function scrub(bytes: Buffer, credentials: readonly Buffer[]): Buffer {
  let clean = bytes;
  for (const credential of credentials) {
    if (credential.length < MIN_CREDENTIAL_BYTES || !clean.includes(credential)) continue;
    clean = Buffer.from(clean.toString('latin1').replaceAll(credential.toString('latin1'), MASK), 'latin1');
  }
  return clean;
}

const decoded = new WeakMap<readonly Buffer[], readonly string[]>();

/** A provider's credentials as text, decoded once. */
function textsOf(credentials: readonly Buffer[]): readonly string[] {
  let texts = decoded.get(credentials);
  if (texts === undefined) {
    texts = credentials
      .filter(({ length }) => length >= MIN_CREDENTIAL_BYTES)
      .map((credential) => credential.toString());
    decoded.set(credentials, texts);
  }
  return texts;
}

/** The same for a header's value. */
export function scrubText(text: string, credentials: readonly Buffer[]): string {
  let clean = text;
  for (const credential of textsOf(credentials)) {
    // Most values are shorter than any credential.
    if (clean.length >= credential.length) clean = clean.replaceAll(credential, MASK);
  }
  return clean;
}
