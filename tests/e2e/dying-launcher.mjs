// Launches one VM as an agent does, and kills itself by SIGKILL just before its nth access to a file since then: the points
// between which everything of a launch happens. Ends with 0 when the launch needed fewer.
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const { spec, options, dieAt } = JSON.parse(process.argv[2]);
let count = Number.NEGATIVE_INFINITY;
for (const name of [
  'chmod',
  'chown',
  'copyFile',
  'mkdir',
  'open',
  'readFile',
  'rename',
  'rm',
  'rmdir',
  'stat',
  'writeFile',
]) {
  const original = fs[name];
  fs[name] = (...args) => {
    count += 1;
    if (count === dieAt) process.kill(process.pid, 'SIGKILL');
    return original(...args);
  };
}
syncBuiltinESMExports();
const { openQemuDriver } = await import('@kvorum/hypervisor-driver');
const driver = openQemuDriver(options);
count = 0;
await driver.launch(spec);
process.exit(0);
