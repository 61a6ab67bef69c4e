const LF = 0x0a;
const DATA = Buffer.from('data:');

/** The values of the `data:` lines of server-sent events that mention `word`, first line first. */
export function dataLinesWith(bytes: Buffer, word: string): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = bytes.indexOf(word); at >= 0;) {
    const start = bytes.lastIndexOf(LF, at) + 1;
    const lf = bytes.indexOf(LF, at);
    const end = lf < 0 ? bytes.length : lf;
    const line = bytes.subarray(start, end);
    if (line.subarray(0, DATA.length).equals(DATA)) lines.push(line.subarray(DATA.length));
    at = bytes.indexOf(word, end);
  }
  return lines;
}
