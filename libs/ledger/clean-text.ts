const LONE_SURROGATE = /\p{Surrogate}/gu;

/**
 * Makes text storable: without NUL (PostgreSQL refuses it), without lone surrogates, and cut to `maxLength` UTF-16 units.
 */
export function cleanText(maxLength: number): (text: string) => string {
  return (text) => {
    const cut = text.length > maxLength ? text.slice(0, maxLength) : text;
    return (cut.includes('\0') ? cut.replaceAll('\0', '') : cut).replace(LONE_SURROGATE, '\ufffd');
  };
}
