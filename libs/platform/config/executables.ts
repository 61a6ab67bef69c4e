import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import path from 'node:path';

/**
 * Real paths of the executables of that name in the folders of PATH, in PATH's order, each once.
 * Links are followed, so that a program's companions can be looked for beside it.
 */
export function executablesOnPath(name: string, searchPath: string = process.env['PATH'] ?? ''): string[] {
  const file = process.platform === 'win32' ? `${name}.exe` : name;
  const found = new Set<string>();
  for (const folder of searchPath.split(path.delimiter)) {
    if (!path.isAbsolute(folder)) continue; // a relative entry would depend on where we were started
    try {
      const real = realpathSync(path.join(folder, file));
      accessSync(real, constants.X_OK);
      if (statSync(real).isFile()) found.add(real);
    } catch {
      // not here
    }
  }
  return [...found];
}
