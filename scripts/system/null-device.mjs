// Every Linux lets everybody read and write /dev/null. Programs that copy a file's rights to what they write, run as root, take that
// away, and then no process that is not root's works any more: not the QEMU of a VM, which runs as a user of its own.
import { chmodSync, statSync } from 'node:fs';

const NULL_DEVICE = '/dev/null';
const EVERYBODY = 0o666;

const modeOf = (file) => statSync(file).mode & 0o777;

/** Gives /dev/null its usual rights back; returns what was done, or null. Throws where only root could. */
export const ensureNullDevice = (file = NULL_DEVICE) => {
  const mode = modeOf(file);
  if ((mode & EVERYBODY) === EVERYBODY) return null;
  const found = `${file} had mode 0${mode.toString(8)}`;
  try {
    chmodSync(file, EVERYBODY);
  } catch (error) {
    throw new Error(`${found}; run \`chmod 0666 ${file}\` as root`, { cause: error });
  }
  return `${found}; it has its usual 0666 again`;
};
