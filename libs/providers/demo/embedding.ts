const DEFAULT_DIMENSIONS = 256;
export const MAX_DIMENSIONS = 4096;
/** Characters of a text that shape its vector. */
const MAX_CHARS = 20_000;

/**
 * A deterministic embedding of unit length: words and letter triples are hashed onto the dimensions with a sign, so that
 * texts that share words lie close together. Good enough to try similarity offline, no more.
 */
export function embed(text: string, dimensions = DEFAULT_DIMENSIONS): Float32Array {
  const vector = new Float32Array(dimensions);
  const words = text
    .slice(0, MAX_CHARS)
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean);
  for (const word of words.length > 0 ? words : [text.slice(0, MAX_CHARS)]) {
    add(vector, word, 1);
    for (let at = 0; at + 3 <= word.length; at++) add(vector, word.slice(at, at + 3), 0.25);
  }
  const length = Math.hypot(...vector);
  if (length === 0) vector[0] = 1;
  else for (let i = 0; i < dimensions; i++) vector[i] = (vector[i] ?? 0) / length;
  return vector;
}

function add(vector: Float32Array, feature: string, weight: number): void {
  const hash = fnv1a(feature);
  const at = hash % vector.length;
  vector[at] = (vector[at] ?? 0) + (hash & 0x8000_0000 ? -weight : weight);
}

/** FNV-1a, 32 bits, over UTF-16 units. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The little-endian float32 bytes in base64, as OpenAI sends them. */
export function toBase64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [i, value] of vector.entries()) bytes.writeFloatLE(value, i * 4);
  return bytes.toString('base64');
}
