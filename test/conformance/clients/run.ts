// npm run conformance:clients: drives clients that we did not write through the built product and reports what they saw.
// The SDKs are development dependencies; Claude Code and Codex are installed on demand (--without-cli leaves them out).
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startFakeUpstream } from '#test/fakes/upstream/fake-upstream.js';
import { startProduct } from '#test/e2e/harness.js';
import { aiSdkChecks } from './ai-sdk.js';
import { anthropicSdkChecks } from './anthropic-sdk.js';
import { runChecks, type Result } from './check.js';
import { CLAUDE_CODE, CODEX, commandLineChecks, installCommandLines } from './command-lines.js';
import { googleSdkChecks } from './google-sdk.js';
import { openaiSdkChecks } from './openai-sdk.js';
import { scriptedModel } from './scripted-models.js';

const SDKS = ['openai', '@anthropic-ai/sdk', 'ai', '@ai-sdk/openai', '@ai-sdk/anthropic', '@google/genai'];
const CLI_FOLDER = path.join('.cache', 'clients');

function versionOf(name: string): string {
  return `${name} ${(JSON.parse(readFileSync(path.join('node_modules', name, 'package.json'), 'utf8')) as { version: string }).version}`;
}

function report(results: readonly Result[], clients: readonly string[], isOffline: boolean): string {
  const rows = results.map(
    ({ check, ok, ms }) => `| ${check.client} | ${check.name} | ${ok ? 'ok' : '**failed**'} | ${Math.round(ms)} ms |`,
  );
  return [
    '# Clients through the gateway',
    '',
    `Written by \`npm run conformance:clients\` on ${new Date().toISOString().slice(0, 10)}; ${os.type()} ${os.arch()}, ${os.cpus().length} cores, Node ${process.version}${isOffline ? ', in a network namespace with nothing but loopback' : ''}.`,
    `Clients: ${clients.join(', ')}.`,
    '',
    '| client | what it did | result | time |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

const folder = process.argv.includes('--without-cli') ? null : path.resolve(CLI_FOLDER);

/** Runs this program once more where nothing but loopback exists, so that an accidental call outside fails loudly. Needs root. */
function runOffline(): number | null {
  const inside = `ip link set lo up && exec "${process.execPath}" "${process.argv[1]}" --offline ${process.argv.slice(2).join(' ')}`;
  if (spawnSync('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up']).status !== 0) return null;
  return spawnSync('unshare', ['-n', 'sh', '-c', inside], { stdio: 'inherit' }).status;
}

async function main(installed: string | null, isOffline: boolean): Promise<number> {
  const upstream = await startFakeUpstream({ fallback: scriptedModel });
  const product = await startProduct({
    config: {
      egress: { allow: ['127.0.0.0/8'] },
      providers: {
        demo: { type: 'demo' },
        anthropic: { type: 'anthropic', base_url: upstream.url, api_key: 'sk-fake-1234567890' },
        openai: { type: 'openai', base_url: `${upstream.url}/v1`, api_key: 'sk-fake-1234567890' },
      },
      models: Object.fromEntries(
        ['cc-plain', 'cc-tool']
          .map((name) => [name, { target: `anthropic/${name}` }])
          .concat(['cx-plain', 'cx-tool'].map((name) => [name, { target: `openai/${name}` }])),
      ),
    },
  });
  try {
    if (installed === null) process.stdout.write('SKIPPED Claude Code and Codex: not installed\n');
    const checks = [
      ...openaiSdkChecks,
      ...anthropicSdkChecks,
      ...aiSdkChecks,
      ...googleSdkChecks,
      ...(installed === null ? [] : commandLineChecks(installed)),
    ];
    const results = await runChecks(checks, product);
    const failed = results.filter((result) => !result.ok).length;
    process.stdout.write(`\n${results.length - failed} passed, ${failed} failed\n`);
    if (failed === 0 && installed !== null) {
      mkdirSync('docs/proofs', { recursive: true });
      writeFileSync('docs/proofs/clients.md', report(results, [...SDKS.map(versionOf), CLAUDE_CODE, CODEX], isOffline));
    }
    return failed === 0 ? 0 : 1;
  } finally {
    await product.stop();
    await upstream.stop();
  }
}

if (process.argv.includes('--offline')) {
  process.exitCode = await main(folder, true);
} else {
  const installed = folder === null ? null : await installCommandLines(folder);
  const code = runOffline();
  if (code === null) process.stdout.write('Not isolated from the network (that needs root and unshare)\n');
  process.exitCode = code ?? (await main(installed, false));
}
