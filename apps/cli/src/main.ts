#!/usr/bin/env node
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { CliEnvironment } from './cli-environment.js';
import { runCli } from './run-cli.js';

/** Empty is as good as not set, for all of them (no-color.org says so of NO_COLOR). */
function readEnvironment(): CliEnvironment {
  const read = (name: string): string | undefined => process.env[name] || undefined;
  const configFolder = read('XDG_CONFIG_HOME') ?? join(homedir(), '.config');
  return {
    url: read('KVORUM_URL'),
    tokenFile: read('KVORUM_TOKEN_FILE'),
    loginFile: join(configFolder, 'kvorum', 'config.json'),
    isColourless: read('NO_COLOR') !== undefined,
  };
}

// `kvorum vm list | head`: the reader has seen enough, which is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment: readEnvironment(),
  onInterrupt: (listener) => {
    process.once('SIGINT', listener);
    return () => process.off('SIGINT', listener);
  },
});
