// The entry for finding programs of the system.
export { executablesOnPath } from './config/executables.js';
