import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import assert from 'node:assert/strict';
import type { Check, Gateway } from './check.js';

/** Pinned: what was measured is what is tested. Proprietary test-time tools, never part of the product. */
export const CLAUDE_CODE = '@anthropic-ai/claude-code@2.1.329';
export const CODEX = '@openai/codex@0.169.0';
const RUN_TIMEOUT_MS = 90_000;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...options,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: RUN_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Installs both command lines into a folder of their own; `null` when the registry has no build for this machine. */
export async function installCommandLines(folder: string): Promise<string | null> {
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'package.json'), '{"private":true}');
  const npm = await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', CLAUDE_CODE, CODEX], {
    cwd: folder,
    env: process.env,
  });
  return npm.code === 0 && existsSync(claudeBinary(folder)) ? folder : null;
}

// The package's own launcher is linked by an install script; the platform's binary lies beside it.
const claudeBinary = (folder: string): string =>
  path.join(folder, 'node_modules/@anthropic-ai', `claude-code-${process.platform}-${process.arch}`, 'claude');
const codexScript = (folder: string): string => path.join(folder, 'node_modules/@openai/codex/bin/codex.js');

/** A clean home and working directory, an environment with nothing in it that the client could find its way out with. */
async function inCleanHome<T>(use: (home: string, env: NodeJS.ProcessEnv) => Promise<T>): Promise<T> {
  const home = await mkdtemp(path.join(os.tmpdir(), 'sf-client-'));
  try {
    await mkdir(path.join(home, 'work'));
    const path_ = `${path.dirname(process.execPath)}:${process.env.PATH ?? ''}`;
    return await use(home, { HOME: home, PATH: path_, TERM: 'dumb', LANG: 'C.UTF-8', NO_PROXY: '127.0.0.1' });
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

interface ClaudeRun {
  readonly folder: string;
  readonly gateway: Gateway;
  readonly model: string;
  readonly prompt: string;
  readonly args?: readonly string[];
  /** Where the key stands; default `ANTHROPIC_API_KEY`. */
  readonly auth?: NodeJS.ProcessEnv;
}

async function claude({ folder, gateway, model, prompt, args = [], auth }: ClaudeRun): Promise<Ended> {
  return inCleanHome((home, env) => {
    const settings = {
      ...env,
      ANTHROPIC_BASE_URL: `${gateway.url}/anthropic`,
      ANTHROPIC_MODEL: model,
      ANTHROPIC_SMALL_FAST_MODEL: model,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      ...(auth ?? { ANTHROPIC_API_KEY: gateway.key }),
    };
    return run(claudeBinary(folder), ['-p', prompt, '--output-format', 'json', ...args], {
      cwd: path.join(home, 'work'),
      env: settings,
    });
  });
}

function resultOf(ended: Ended): { readonly result: string; readonly num_turns: number; readonly is_error: boolean } {
  assert.equal(ended.code, 0, `exit ${ended.code}: ${ended.stderr.slice(-400)} ${ended.stdout.slice(-400)}`);
  return JSON.parse(ended.stdout) as { result: string; num_turns: number; is_error: boolean };
}

async function codex(folder: string, gateway: Gateway, model: string, prompt: string): Promise<Ended> {
  return inCleanHome(async (home, env) => {
    await mkdir(path.join(home, '.codex'));
    const provider = `name = "gateway"\nbase_url = "${gateway.url}/v1"\nenv_key = "GW_KEY"\nwire_api = "responses"\n`;
    const config = `model = "${model}"\nmodel_provider = "gw"\n[model_providers.gw]\n${provider}`;
    await writeFile(path.join(home, '.codex/config.toml'), config);
    const last = path.join(home, 'last.txt');
    const flags = [
      '--skip-git-repo-check',
      '--dangerously-bypass-approvals-and-sandbox',
      '--output-last-message',
      last,
    ];
    const ended = await run(process.execPath, [codexScript(folder), 'exec', ...flags, prompt], {
      cwd: path.join(home, 'work'),
      env: { ...env, GW_KEY: gateway.key },
    });
    return { ...ended, stdout: existsSync(last) ? await readFile(last, 'utf8') : ended.stdout };
  });
}

/** Claude Code and Codex, offline: a plain answer and a tool round trip each. */
export function commandLineChecks(folder: string): readonly Check[] {
  return [
    {
      client: 'Claude Code',
      name: 'plain answer, with ANTHROPIC_API_KEY and with ANTHROPIC_AUTH_TOKEN',
      async run(gateway) {
        for (const auth of [{ ANTHROPIC_API_KEY: gateway.key }, { ANTHROPIC_AUTH_TOKEN: gateway.key }]) {
          const answer = resultOf(await claude({ folder, gateway, model: 'cc-plain', prompt: 'say hi', auth }));
          assert.equal(answer.is_error, false);
          assert.match(answer.result, /Hello from the fake model/);
        }
      },
    },
    {
      client: 'Claude Code',
      name: 'tool round trip: the model asks for Bash, gets its output and answers',
      async run(gateway) {
        const answer = resultOf(
          await claude({ folder, gateway, model: 'cc-tool', prompt: 'run it', args: ['--allowedTools', 'Bash'] }),
        );
        assert.equal(answer.num_turns, 2);
        assert.match(answer.result, /tool said: smartflow-proof/);
      },
    },
    {
      client: 'Claude Code',
      name: 'a wrong key: one clear line, no retries',
      async run(gateway) {
        const started = performance.now();
        const wrong = { ...gateway, key: 'sk-sf-wrong' };
        const ended = await claude({ folder, gateway: wrong, model: 'cc-plain', prompt: 'say hi' });
        assert.match(ended.stdout + ended.stderr, /API key is not valid/);
        assert.ok(performance.now() - started < 20_000);
      },
    },
    {
      client: 'Codex',
      name: 'plain answer',
      async run(gateway) {
        const ended = await codex(folder, gateway, 'cx-plain', 'say hi');
        assert.match(ended.stdout, /Hello from the fake model/, ended.stderr.slice(-600));
      },
    },
    {
      client: 'Codex',
      name: 'tool round trip: the model asks for the shell, gets its output and answers',
      async run(gateway) {
        const ended = await codex(folder, gateway, 'cx-tool', 'run it');
        assert.match(ended.stdout, /tool said: .*smartflow-proof/s, ended.stderr.slice(-600));
      },
    },
  ];
}
