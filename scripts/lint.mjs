// npm run lint: the house rules (docs/ARCHITECTURE.md, "Who may know whom").
import { lintSteps, runSteps } from './run-steps.mjs';

await runSteps(lintSteps);
