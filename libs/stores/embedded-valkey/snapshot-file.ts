import { closeSync, existsSync, fstatSync, openSync, readSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';

const SNAPSHOT = 'dump.rdb';
const KEEP_DAMAGED = 3;
const CHUNK_BYTES = 1 << 20;
const CHECKSUM_BYTES = 8;
/** CRC-64 as Redis uses it ("Jones", reflected): polynomial in two halves, since JavaScript's integers have 32 bits. */
const POLYNOMIAL = { high: 0x95ac9329, low: 0xac4bc9b5 };
const TABLE = makeTable();

/** Removes what a cut-off save left. */
export function removeCutOffSaves(folder: string): void {
  for (const name of readdirSync(folder)) if (/^temp-.*\.rdb$/.test(name)) rmSync(path.join(folder, name));
}

/** True when the folder has a snapshot. */
export function hasSnapshot(folder: string): boolean {
  return existsSync(path.join(folder, SNAPSHOT));
}

/**
 * True when there is no snapshot, or one whose checksum is right. Looked at before the engine may see the file: on some
 * damage the engine does not end but loops for ever.
 */
export function snapshotIsSound(folder: string): boolean {
  if (!hasSnapshot(folder)) return true;
  const descriptor = openSync(path.join(folder, SNAPSHOT), 'r');
  try {
    const { size } = fstatSync(descriptor);
    const head = Buffer.alloc(9);
    const tail = Buffer.alloc(CHECKSUM_BYTES);
    if (size < head.length + CHECKSUM_BYTES + 1) return false;
    readSync(descriptor, head, 0, head.length, 0);
    readSync(descriptor, tail, 0, tail.length, size - CHECKSUM_BYTES);
    if (!/^(REDIS|VALKEY)\d+$/.test(head.toString('latin1'))) return false;
    return tail.equals(checksum(descriptor, size - CHECKSUM_BYTES));
  } finally {
    closeSync(descriptor);
  }
}

/** Gives the snapshot another name, answers that, and keeps the last three of them. */
export function moveSnapshotAside(folder: string): string {
  const aside = path.join(folder, `${SNAPSHOT}.damaged-${Date.now()}`);
  renameSync(path.join(folder, SNAPSHOT), aside);
  const damaged = readdirSync(folder).filter((name) => name.startsWith(`${SNAPSHOT}.damaged-`));
  for (const name of damaged.sort().slice(0, -KEEP_DAMAGED)) rmSync(path.join(folder, name));
  return aside;
}

/** The first `length` bytes' CRC-64, little-endian as at the end of a snapshot. */
function checksum(descriptor: number, length: number): Buffer {
  const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, length));
  let high = 0;
  let low = 0;
  for (let at = 0; at < length;) {
    const read = readSync(descriptor, chunk, 0, Math.min(chunk.length, length - at), at);
    if (read === 0) break; // shorter than it was: the sum will not fit
    for (let i = 0; i < read; i++) {
      const index = 2 * ((low ^ (chunk[i] as number)) & 0xff);
      low = ((low >>> 8) | (high << 24)) ^ (TABLE[index + 1] as number);
      high = (high >>> 8) ^ (TABLE[index] as number);
    }
    at += read;
  }
  const sum = Buffer.alloc(CHECKSUM_BYTES);
  sum.writeInt32LE(low | 0, 0);
  sum.writeInt32LE(high | 0, 4);
  return sum;
}

/** For each byte the high and the low half of its remainder. */
function makeTable(): Int32Array {
  const table = new Int32Array(512);
  for (let byte = 0; byte < 256; byte++) {
    let high = 0;
    let low = byte;
    for (let bit = 0; bit < 8; bit++) {
      const odd = low & 1;
      low = (low >>> 1) | (high << 31);
      high = high >>> 1;
      if (odd) {
        high ^= POLYNOMIAL.high;
        low ^= POLYNOMIAL.low;
      }
    }
    table[2 * byte] = high;
    table[2 * byte + 1] = low;
  }
  return table;
}
