// A lock that misses a platform's package of some dependency installs here and breaks `npm ci` elsewhere: npm leaves such a
// package out when the registry did not have it yet on the day of the install.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { CHECKOUT_DIR } from '../checkout.mjs';

/** Where Node looks for what `folder` needs: in its own node_modules, then in those of each folder above. */
const isLocked = (packages, folder, name) => {
  const parts = folder === '' ? [] : folder.split('/');
  for (let length = parts.length; length >= 0; length -= 1) {
    if (packages[[...parts.slice(0, length), 'node_modules', name].join('/')]) return true;
  }
  return false;
};

/** Returns one sentence per missing package. */
export const auditLock = (packages) =>
  Object.entries(packages).flatMap(([folder, { version, optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !isLocked(packages, folder, name))
      .map(
        (name) =>
          `package-lock.json: ${folder}@${version} wants ${name}, which is not in the lock; pin an older release`,
      ),
  );

export const readLockedPackages = () =>
  JSON.parse(readFileSync(path.join(CHECKOUT_DIR, 'package-lock.json'), 'utf8')).packages;
