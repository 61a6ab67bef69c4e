import { fork } from 'node:child_process';
import path from 'node:path';
import { pin, PROXY_CORE } from './process-cost.js';
import type { RowName, RowStarter } from './rows.js';

const START_MS = 60_000;
/** Looks like a virtual key; what checks none passes it by. */
const ANY_KEY = 'sk-sf-bench-00000000000000000000000000000000';

/** A row that is one script of this folder; the script gets the upstream's origin and announces its own. */
export function scriptRow(name: RowName, script: string): RowStarter {
  return {
    name,
    async start(upstreamPort) {
      const child = fork(path.join(import.meta.dirname, script), [`http://127.0.0.1:${upstreamPort}`], {
        execArgv: ['--inspect-port=0'],
        stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      });
      let output = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => (output += text));
      const url = await new Promise<string>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`${name} did not start`)), START_MS);
        child.once('exit', (code) => reject(new Error(`${name} ended at its start (${code}): ${output}`)));
        child.once('message', (message: { readonly url: string }) => {
          clearTimeout(late);
          resolve(message.url);
        });
      });
      const pid = child.pid as number;
      pin(pid, PROXY_CORE);
      return {
        name,
        port: Number(new URL(url).port),
        key: ANY_KEY,
        pid,
        redisPid: null,
        output: () => output,
        async stop() {
          const exited = new Promise((resolve) => child.once('exit', resolve));
          if (child.exitCode !== null || child.signalCode !== null) return;
          child.disconnect();
          await exited;
        },
      };
    },
  };
}
