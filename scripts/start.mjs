// npm start: from a fresh clone to a serving product.
import { launch } from './launch.mjs';
import { prepare } from './setup.mjs';

try {
  await prepare();
  process.exitCode = await launch(['serve', ...process.argv.slice(2)]);
} catch (error) {
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
