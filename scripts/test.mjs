// npm test: installs what is missing, builds, and runs every test (or those named: npm test -- packages/scheduler). Ends with the
// line `N passed, N failed`; what could not even be loaded counts as failed.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { CHECKOUT_DIR, makeStateDir, STATE_DIR } from './checkout.mjs';
import { GUEST_IMAGE_NAMES } from './images/guest-image.mjs';
import { prepare } from './prepare.mjs';
import { createProgress } from './progress/progress-display.mjs';

const HEARTBEAT = path.join(CHECKOUT_DIR, 'scripts/test-run/heartbeat-reporter.mjs');
const RESULTS_FILE = path.join(STATE_DIR, 'test-results.json');

const runVitest = (args) =>
  new Promise((resolve, reject) => {
    rmSync(RESULTS_FILE, { force: true });
    const vitest = path.join(CHECKOUT_DIR, 'node_modules/vitest/vitest.mjs');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${RESULTS_FILE}`];
    if (!process.stdout.isTTY) reporters.push(`--reporter=${HEARTBEAT}`);
    const child = spawn(process.execPath, [vitest, 'run', '--root', CHECKOUT_DIR, ...reporters, ...args], {
      cwd: CHECKOUT_DIR,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const forward = (signal) => child.kill(signal);
    process.on('SIGTERM', forward);
    process.on('SIGINT', () => {}); // the terminal sends it to vitest as well; we wait for its end
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });

/** Tests that did not pass or fail, and files that failed before their first test. */
const countResults = (exitCode) => {
  if (!existsSync(RESULTS_FILE)) return { passed: 0, failed: 1, skipped: [] };
  const { testResults } = JSON.parse(readFileSync(RESULTS_FILE, 'utf8'));
  const tests = testResults.flatMap((file) => file.assertionResults);
  const brokenFiles = testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  const passed = tests.filter((test) => test.status === 'passed').length;
  const failed = tests.filter((test) => test.status === 'failed').length + brokenFiles.length;
  const skipped = tests
    .filter((test) => test.status !== 'passed' && test.status !== 'failed')
    .map((test) => test.fullName);
  // Errors outside any test also make vitest fail.
  return { passed, failed: failed === 0 && exitCode !== 0 ? 1 : failed, skipped };
};

try {
  makeStateDir();
  const startedAt = Date.now();
  await prepare({ progress: createProgress(), purpose: 'test', images: GUEST_IMAGE_NAMES });
  const exitCode = await runVitest(process.argv.slice(2));
  const { passed, failed, skipped } = countResults(exitCode);
  console.log(`${Math.round((Date.now() - startedAt) / 1000)} s in all`);
  if (skipped.length > 0) console.log(`skipped: ${skipped.join('; ')}`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : exitCode;
} catch (error) {
  console.error(error.message);
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
}
