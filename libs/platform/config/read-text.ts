import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

export type TextRead = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problem: string };

/**
 * Reads a small UTF-8 text file. Refused with a reason in plain words: what is no regular file, longer than `maxBytes`,
 * not UTF-8, or has NUL characters. At most `maxBytes + 1` bytes are read, whatever the file's stated size.
 */
export function readTextFile(path: string, maxBytes: number): TextRead {
  let bytes: Buffer;
  try {
    bytes = readBounded(path, maxBytes + 1);
  } catch (error) {
    return { ok: false, problem: problemOf(error) };
  }
  if (bytes.length > maxBytes) return { ok: false, problem: `is longer than ${maxBytes} bytes` };
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { ok: false, problem: 'is not UTF-8 text' };
  }
  if (text.includes('\0')) return { ok: false, problem: 'contains NUL characters; is it a text file in UTF-8?' };
  return { ok: true, text };
}

class NotRegular extends Error {}

function readBounded(path: string, limit: number): Buffer {
  // Non-blocking, so that a named pipe nobody writes to does not hold up the start.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(file).isFile()) throw new NotRegular();
    const buffer = Buffer.alloc(limit);
    let length = 0;
    for (;;) {
      const read = readSync(file, buffer, length, limit - length, null);
      length += read;
      if (read === 0 || length === limit) return buffer.subarray(0, length);
    }
  } finally {
    closeSync(file);
  }
}

function problemOf(error: unknown): string {
  if (error instanceof NotRegular) return 'is not a regular file';
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user';
  if (code === 'EISDIR') return 'is a folder';
  return `cannot be read (${code ?? 'unknown reason'})`;
}
