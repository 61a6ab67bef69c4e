import type { CommandEntry } from './command.js';

/** Every command, in the order of the help text. A new one is a file in `commands/` and a line here. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'serve',
    summary: 'start everything: stores, gateway and worker (the default)',
    load: async () => (await import('./commands/serve.js')).command,
  },
  {
    name: 'gateway',
    summary: 'run one gateway on external stores',
    load: async () => (await import('./commands/gateway.js')).command,
  },
  {
    name: 'worker',
    summary: 'run one worker on external stores',
    load: async () => (await import('./commands/worker.js')).command,
  },
  {
    name: 'migrate',
    summary: 'bring the schema of an external PostgreSQL up to date',
    load: async () => (await import('./commands/migrate.js')).command,
  },
  {
    name: 'bootstrap',
    summary: 'make or print the first credentials of gateways on external stores',
    load: async () => (await import('./commands/bootstrap.js')).command,
  },
  {
    name: 'recost',
    summary: 'price past calls again and show or note what changes',
    load: async () => (await import('./commands/recost.js')).command,
  },
  {
    name: 'reconcile',
    summary: 'settle calls of unknown cost at what they truly cost',
    load: async () => (await import('./commands/reconcile.js')).command,
  },
  {
    name: 'validate',
    summary: 'check a configuration file and list every fault',
    load: async () => (await import('./commands/validate.js')).command,
  },
  {
    name: 'doctor',
    summary: 'check this machine, the configuration and the stores',
    load: async () => (await import('./commands/doctor.js')).command,
  },
  {
    name: 'budgets',
    summary: 'make the counters of all budgets anew from the ledger',
    load: async () => (await import('./commands/budgets.js')).command,
  },
  {
    name: 'spool',
    summary: 'let go of what a gateway held that is gone with its disk',
    load: async () => (await import('./commands/spool.js')).command,
  },
  {
    name: 'version',
    summary: 'print the version',
    load: async () => (await import('./commands/version.js')).command,
  },
  {
    name: 'help',
    summary: 'print this, or the options of a command',
    load: async () => (await import('./commands/help.js')).command,
  },
];

export const DEFAULT_COMMAND = 'serve';

/** The entry of that name. */
export function findCommand(name: string): CommandEntry | undefined {
  return COMMANDS.find((entry) => entry.name === name);
}
