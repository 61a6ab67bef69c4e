import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { pin, PROXY_CORE } from './process-cost.js';
import type { Row, RowStarter } from './rows.js';

const START_MS = 10_000;

function config(folder: string, port: number, upstreamPort: number): string {
  const owner = process.getuid?.() === 0 ? 'user root;' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  return `${owner}
daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off;
  ${temporary.join('\n  ')}
  client_max_body_size 64m;
  client_body_buffer_size 1m;
  keepalive_requests 1000000000;
  upstream bench { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://bench;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`;
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => (socket.destroy(), resolve(true)));
    socket.on('error', () => resolve(false));
  });
}

/** Keeps the yardstick honest: plain `proxy_pass` with one worker. Absent where nginx is not installed. */
export const nginxRow: RowStarter = {
  name: 'nginx',
  async start(upstreamPort): Promise<Row | null> {
    if (spawnSync('nginx', ['-v']).status !== 0) return null;
    const folder = mkdtempSync(path.join(os.tmpdir(), 'sf-bench-nginx-'));
    const port = await freePort();
    writeFileSync(path.join(folder, 'nginx.conf'), config(folder, port, upstreamPort));
    const child = spawn('nginx', ['-p', folder, '-c', 'nginx.conf'], { stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    const exited = new Promise((resolve) => child.once('exit', resolve));
    const stop = async (): Promise<void> => {
      child.kill('SIGTERM');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    };
    for (const deadline = Date.now() + START_MS; !(await answers(port));) {
      if (child.exitCode !== null || Date.now() > deadline) {
        await stop();
        throw new Error(`nginx did not start: ${output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const worker = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')[0]);
    pin(worker, PROXY_CORE);
    return { name: 'nginx', port, key: 'none', pid: worker, redisPid: null, output: () => output, stop };
  },
};
