export type { CliEnvironment, CliIo } from './cli.js';
export { runCli } from './run-cli.js';
