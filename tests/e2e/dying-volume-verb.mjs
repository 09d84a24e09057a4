// Runs one verb of a storage pool as an agent does, and kills itself by SIGKILL at the nth point: before each change of a name or
// mode, before each tool is started, and some milliseconds after. Ends with 0, and prints how many points there were, when it was not
// killed: the verb has fewer, or its tool was done sooner.
import childProcess from 'node:child_process';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const { options, verb, args, dieAt, delayMs } = JSON.parse(process.argv[2]);
let count = Number.NEGATIVE_INFINITY;
const die = () => process.kill(process.pid, 'SIGKILL');
const isDue = () => {
  count += 1;
  return count === dieAt;
};
for (const name of ['chmod', 'rename', 'rm']) {
  const original = fs[name];
  fs[name] = (...rest) => {
    if (isDue()) die();
    return original(...rest);
  };
}
const spawn = childProcess.spawn;
childProcess.spawn = (...rest) => {
  if (isDue()) die();
  const child = spawn(...rest);
  if (isDue()) setTimeout(die, delayMs);
  return child;
};
syncBuiltinESMExports();
const { openDirectoryPool } = await import('@kvorum/host-storage');
const pool = await openDirectoryPool(options);
count = 0;
await pool[verb](...args);
process.stdout.write(String(count));
process.exit(0);
