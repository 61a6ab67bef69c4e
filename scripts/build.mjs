// npm run build: installs what is missing and builds everything into dist/.
import { prepare } from './setup.mjs';

try {
  await prepare({ build: 'always' });
} catch (error) {
  console.error(`\n${error.message}`);
  process.exit(1);
}
