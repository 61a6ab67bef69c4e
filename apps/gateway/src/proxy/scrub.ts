const MASK = '[secret]';

/** An upstream's error text may quote the credential it was given; it must not reach a caller. Everything else stays. */
export function scrub(body: Buffer, credentials: readonly Buffer[]): Buffer {
  let clean = body;
  for (const credential of credentials) {
    if (credential.length < 8 || !clean.includes(credential)) continue;
    clean = Buffer.from(clean.toString('latin1').replaceAll(credential.toString('latin1'), MASK), 'latin1');
  }
  return clean;
}
