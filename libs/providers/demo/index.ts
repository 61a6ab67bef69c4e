export { type DemoProvider, startDemoProvider } from './server.js';
