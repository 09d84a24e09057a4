// npm run check: everything about the source that needs no running part. All checks run, so that one failure does not hide
// the next.
import path from 'node:path';
import { auditLock, readLockedPackages } from './check/lock-audit.mjs';
import { CHECKOUT_DIR } from './checkout.mjs';
import { buildProject } from './generate/build-project.mjs';
import { createProgress } from './progress/progress-display.mjs';
import { runCommand } from './progress/run-command.mjs';

const bin = (name) => path.join(CHECKOUT_DIR, 'node_modules/.bin', name);

const auditTheLock = () => {
  const problems = auditLock(readLockedPackages());
  if (problems.length > 0) throw new Error(problems.join('\n'));
};

const command =
  (...parts) =>
  (report) =>
    runCommand(parts, { log: 'check', onLine: report });

const CHECKS = [
  ['format and lint', command(bin('biome'), 'check', '--error-on-warnings', '.')],
  ['types of the sources', (report) => buildProject({ onLine: report })],
  ['types of the tests', command(bin('tsc'), '-p', 'tsconfig.test.json', '--noEmit')],
  ['layers and cycles', command(bin('depcruise'), '--config', '.dependency-cruiser.cjs', 'packages', 'apps')],
  ['dead code and dependencies', command(bin('knip'))],
  ['generated files', command(process.execPath, path.join(CHECKOUT_DIR, 'scripts/gen.mjs'), '--check')],
  ['lock', async () => auditTheLock()],
];

const progress = createProgress();
const failures = [];
for (const [title, run] of CHECKS) {
  await progress.step(title, run).catch((error) => failures.push(`${title}\n${error.message}`));
}
for (const failure of failures) console.error(`\n✗ ${failure}`);
console.log(`${CHECKS.length - failures.length} checks passed, ${failures.length} failed`);
process.exitCode = failures.length > 0 ? 1 : 0;
