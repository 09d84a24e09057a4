// npm test: installs what is missing, builds, and runs every test (or those named: npm test -- packages/scheduler). Ends with the
// line `N passed, N failed`; what could not even be loaded counts as failed. Files with a failure run once more, alone: what
// passes then is named, so that a test that depends on the machine's load is seen, and does not hide what else is broken.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { CHECKOUT_DIR, makeStateDir, STATE_DIR } from './checkout.mjs';
import { QUICK_IMAGE_NAMES } from './images/guest-image.mjs';
import { prepare } from './prepare.mjs';
import { createProgress } from './progress/progress-display.mjs';

const HEARTBEAT = path.join(CHECKOUT_DIR, 'scripts/test-run/heartbeat-reporter.mjs');
const RESULTS_FILE = path.join(STATE_DIR, 'test-results.json');
const UNHANDLED_ERRORS_FILE = path.join(STATE_DIR, 'test-unhandled-errors.json');
const SECOND_RESULTS_FILE = path.join(STATE_DIR, 'test-results-second.json');
/** More than this many files failing at once is no accident of load. */
const SECOND_RUN_FILES_MAX = 3;

const runVitest = (args, resultsFile) =>
  new Promise((resolve, reject) => {
    rmSync(resultsFile, { force: true });
    const vitest = path.join(CHECKOUT_DIR, 'node_modules/vitest/vitest.mjs');
    const reporters = [
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${resultsFile}`,
      `--reporter=${HEARTBEAT}`,
    ];
    const child = spawn(process.execPath, [vitest, 'run', '--root', CHECKOUT_DIR, ...reporters, ...args], {
      cwd: CHECKOUT_DIR,
      env: { ...process.env, KVORUM_UNHANDLED_ERRORS_FILE: UNHANDLED_ERRORS_FILE },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const forward = (signal) => child.kill(signal);
    process.on('SIGTERM', forward);
    process.on('SIGINT', () => {}); // the terminal sends it to vitest as well; we wait for its end
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });

const readResults = (resultsFile) =>
  existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, 'utf8')).testResults : null;

const isBroken = (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed');
const hasFailed = (file) => isBroken(file) || file.assertionResults.some((test) => test.status === 'failed');

/** Tests that did not pass or fail, and files that failed before their first test. */
const countResults = (files, exitCode) => {
  if (files === null) return { passed: 0, failed: 1, skipped: [] };
  const tests = files.flatMap((file) => file.assertionResults);
  const passed = tests.filter((test) => test.status === 'passed').length;
  const failed = tests.filter((test) => test.status === 'failed').length + files.filter(isBroken).length;
  const skipped = tests
    .filter((test) => test.status !== 'passed' && test.status !== 'failed')
    .map((test) => test.fullName);
  // Errors outside any test also make vitest fail.
  return { passed, failed: failed === 0 && exitCode !== 0 ? 1 : failed, skipped };
};

/** The files with the results of their second run in place of the first, and what passed only then. */
const runFailuresAgain = async (files) => {
  const failed = files.filter(hasFailed);
  const hasUnhandled = existsSync(UNHANDLED_ERRORS_FILE);
  if (failed.length === 0 || failed.length > SECOND_RUN_FILES_MAX || hasUnhandled) return null;
  console.log(`\nonce more, alone: ${failed.map((file) => path.relative(CHECKOUT_DIR, file.name)).join(' ')}`);
  const exitCode = await runVitest(
    failed.map((file) => file.name),
    SECOND_RESULTS_FILE,
  );
  const again = readResults(SECOND_RESULTS_FILE);
  if (again === null) return null;
  const secondOf = (file) => again.find((second) => second.name === file.name);
  const passedNow = (file, { fullName }) =>
    secondOf(file)?.assertionResults.some((test) => test.fullName === fullName && test.status === 'passed');
  const unsteady = failed.flatMap((file) => {
    const isWellNow = isBroken(file) && secondOf(file)?.status === 'passed';
    const tests = file.assertionResults.filter((test) => test.status === 'failed' && passedNow(file, test));
    return [...(isWellNow ? [path.relative(CHECKOUT_DIR, file.name)] : []), ...tests.map((test) => test.fullName)];
  });
  const merged = files.map((file) => secondOf(file) ?? file);
  return { files: merged, exitCode, unsteady };
};

try {
  makeStateDir();
  const startedAt = Date.now();
  rmSync(UNHANDLED_ERRORS_FILE, { force: true });
  await prepare({ progress: createProgress(), purpose: 'test', images: QUICK_IMAGE_NAMES });
  const first = { exitCode: await runVitest(process.argv.slice(2), RESULTS_FILE), unsteady: [] };
  const firstFiles = readResults(RESULTS_FILE);
  const end = (firstFiles === null ? null : await runFailuresAgain(firstFiles)) ?? { ...first, files: firstFiles };
  const { passed, failed, skipped } = countResults(end.files, end.exitCode);
  console.log(`${Math.round((Date.now() - startedAt) / 1000)} s in all`);
  if (skipped.length > 0) console.log(`skipped: ${skipped.join('; ')}`);
  if (end.unsteady.length > 0) console.log(`passed only when run again, alone: ${end.unsteady.join('; ')}`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : end.exitCode;
} catch (error) {
  console.error(error.message);
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
}
