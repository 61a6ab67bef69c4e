import { spawn } from 'node:child_process';
import net from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { acceptsConnections, childEnd, commandLineHas, endProcess, freePort, isAlive } from './processes.js';

function node(script: string): ReturnType<typeof spawn> {
  return spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
}

describe('processes', () => {
  it('OPS-1: a process that ignores polite signals is ended by the last one, in bounded time', async () => {
    const child = node(`process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)`);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    const pid = child.pid as number;
    expect([isAlive(pid), commandLineHas(pid, 'SIGTERM'), commandLineHas(pid, 'no such text')]).toEqual([
      true,
      true,
      false,
    ]);
    expect(await endProcess(pid, [{ signal: 'SIGTERM', waitMs: 100 }])).toBe(false);
    expect(
      await endProcess(pid, [
        { signal: 'SIGTERM', waitMs: 50 },
        { signal: 'SIGKILL', waitMs: 5000 },
      ]),
    ).toBe(true);
    expect(isAlive(pid)).toBe(false);
  });

  it('OPS-1: a zombie is not alive', async () => {
    // its parent never asks how it ended
    const parent = spawn('/bin/sh', ['-c', 'sleep 0 & echo $!; exec sleep 5'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const zombie = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)));
    for (let i = 0; i < 400 && isAlive(zombie); i++) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(isAlive(zombie)).toBe(false);
    expect(() => process.kill(zombie, 0)).not.toThrow(); // and yet it can be signalled
    parent.kill('SIGKILL');
    expect(await childEnd(parent)).toBe('signal SIGKILL');
  });

  it('OPS-1: a child that cannot be started ends with the reason', async () => {
    expect(await childEnd(spawn('/no/such/program'))).toContain('ENOENT');
  });

  it('OPS-1: a free port is free, and a connection attempt is bounded', async () => {
    const port = await freePort();
    expect(await acceptsConnections('127.0.0.1', port, 1000)).toBe(false);
    const server = net.createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    expect(await acceptsConnections('127.0.0.1', port, 1000)).toBe(true);
    server.close();
  });
});
