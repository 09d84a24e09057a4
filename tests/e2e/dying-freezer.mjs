// Makes a template of a running VM as an agent does, and kills itself by SIGKILL just before its nth access to a file or word to
// a monitor since then. Ends with 0 when it needed fewer.
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';

const { freeze, options, dieAt } = JSON.parse(process.argv[2]);
let count = Number.NEGATIVE_INFINITY;
function mortal(object, name) {
  const original = object[name];
  object[name] = function (...args) {
    count += 1;
    if (count >= dieAt) process.kill(process.pid, 'SIGKILL');
    return original.apply(this, args);
  };
}
for (const name of ['chmod', 'chown', 'mkdir', 'open', 'readFile', 'rename', 'rm', 'stat', 'writeFile'])
  mortal(fs, name);
mortal(net.Socket.prototype, 'write');
syncBuiltinESMExports();
const { openQemuDriver } = await import('@kvorum/hypervisor-driver');
const driver = openQemuDriver(options);
await driver.adopt(freeze.golden.vmId, freeze.golden.runDir);
count = 0;
await driver.freezeTemplate(freeze);
process.exit(0);
