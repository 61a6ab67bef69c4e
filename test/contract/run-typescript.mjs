// node --import this: runs the sources as they are (decorators included), for tests that need a process of their own.
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/core';

const root = new URL('../../', import.meta.url);

registerHooks({
  resolve(specifier, context, next) {
    const ours = context.parentURL?.startsWith(root.href) === true && !context.parentURL.includes('/node_modules/');
    if (/^#(libs|test)\//.test(specifier))
      return next(new URL(specifier.slice(1).replace(/\.js$/, '.ts'), root).href, context);
    if (ours && /^\..*\.js$/.test(specifier)) return next(specifier.replace(/\.js$/, '.ts'), context);
    return next(specifier, context);
  },
  load(url, context, next) {
    if (!url.endsWith('.ts')) return next(url, context);
    const filename = fileURLToPath(url);
    const { code } = transformSync(readFileSync(filename, 'utf8'), {
      filename,
      jsc: {
        target: 'es2023',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
      },
      module: { type: 'es6' },
      sourceMaps: 'inline',
    });
    return { format: 'module', source: code, shortCircuit: true };
  },
});
