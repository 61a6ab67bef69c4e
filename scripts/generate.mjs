// npm run generate: writes the committed files that are made from sources. A test fails when one of them is out of date.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { prepare } from './setup.mjs';

const root = path.dirname(import.meta.dirname);

await prepare();
const { format } = await import('prettier');
const { renderJsonSchema } = await import('../dist/libs/platform/config.js');

const file = path.join(root, 'docs/smartflow.schema.json');
writeFileSync(file, await format(renderJsonSchema(), { parser: 'json', printWidth: 120 }));
console.log(`written: ${path.relative(root, file)}`);
