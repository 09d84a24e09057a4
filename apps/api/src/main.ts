import { pino } from 'pino';
import { parseConfiguration } from './configuration.js';
import { startProcess } from './start-process.js';

/** Standard output is for the one line that says where we listen; the log goes to standard error. */
const STANDARD_ERROR = 2;
/** An operator's `systemctl stop` waits longer than this before it kills. */
const STOP_MS_MAX = 10_000;

async function main(): Promise<void> {
  const parsed = parseConfiguration(process.env);
  if (parsed.kind === 'refused') {
    process.stderr.write(`${parsed.problems.join('\n')}\n`);
    process.exitCode = 2;
    return;
  }
  const log = pino(
    { name: 'kvorum-api', level: parsed.configuration.logLevel, redact: ['req.headers.authorization'] },
    pino.destination({ dest: STANDARD_ERROR, sync: true }),
  );
  const running = await startProcess(parsed.configuration, log);
  let isStopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) return;
    isStopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => {
      log.error({}, 'did not stop in time');
      process.exit(1);
    }, STOP_MS_MAX).unref();
    void running.stop().then(() => log.info({}, 'stopped'));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  const { url, gateway, enrol } = running;
  process.stdout.write(`${JSON.stringify({ event: 'listening', url, gateway, enrol })}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`kvorum-api cannot start: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
