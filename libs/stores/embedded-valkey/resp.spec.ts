import { describe, expect, it } from '@jest/globals';
import { encodeCommand, ReplyReader, RespError } from './resp.js';

const wire = Buffer.from('+OK\r\n-ERR no\r\n:12\r\n$5\r\nh\u00e9\r\n\r\n$-1\r\n*2\r\n$1\r\na\r\n*1\r\n:-3\r\n*-1\r\n');
const replies = ['OK', new RespError('ERR no'), 12, 'h\u00e9\r\n', null, ['a', [-3]], null];

describe('RESP2', () => {
  it('OPS-1: replies come out whole however the bytes are cut', () => {
    for (let size = 1; size <= wire.length; size++) {
      const reader = new ReplyReader();
      const read = [];
      for (let at = 0; at < wire.length; at += size) read.push(...reader.read(wire.subarray(at, at + size)));
      expect(read).toEqual(replies);
    }
  });

  it('OPS-1: a command counts bytes, not characters', () => {
    expect(encodeCommand(['SET', 'h\u00e9', '']).toString()).toBe('*3\r\n$3\r\nSET\r\n$3\r\nh\u00e9\r\n$0\r\n\r\n');
  });

  it('OPS-1: what is no RESP2 is refused', () => {
    expect(() => new ReplyReader().read(Buffer.from('HTTP/1.1 400 Bad Request\r\n'))).toThrow('RESP2');
  });
});
