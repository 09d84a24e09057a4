// Which modules of a Debian kernel a guest needs, in the order in which they must be loaded. Debian's package carries no
// modules.dep (its install script makes it), so the dependencies are read from the modules themselves.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const MODULE_BYTES_MAX = 64 * 1024 * 1024;
const FILE_PATTERN = /^(.+)\.ko(\.xz)?$/;

/** Module names use - and _ for the same thing; the kernel reports _. */
const canonical = (name) => name.replaceAll('-', '_');

const listModuleFiles = (dir) => {
  const files = new Map();
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const match = FILE_PATTERN.exec(entry.name);
    if (entry.isFile() && match) files.set(canonical(match[1]), path.join(entry.parentPath ?? entry.path, entry.name));
  }
  return files;
};

/** Newer Debians compress modules; `busybox` unpacks them, so that the machine needs no xz. */
const readModule = (file, busybox) =>
  file.endsWith('.xz')
    ? execFileSync(busybox, ['unxz', '-c'], { input: readFileSync(file), maxBuffer: MODULE_BYTES_MAX })
    : readFileSync(file);

/** The `depends=` entry of the section .modinfo, a list of NUL-terminated key=value strings (linux/moduleparam.h). */
const dependenciesOf = (content) => {
  const start = content.indexOf('\0depends=');
  if (start < 0) return [];
  const valueStart = start + '\0depends='.length;
  const value = content.toString('latin1', valueStart, content.indexOf(0, valueStart));
  return value === '' ? [] : value.split(',').map(canonical);
};

/**
 * Returns [{ fileName, content }] for `names` and all they depend on, dependencies first. Those built into the kernel are
 * left out; a name that is neither is an error.
 */
export const orderModules = ({ modulesDir, names, busybox }) => {
  const files = listModuleFiles(path.join(modulesDir, 'kernel'));
  const builtin = readFileSync(path.join(modulesDir, 'modules.builtin'), 'utf8');
  const builtinNames = new Set([...builtin.matchAll(/\/([^/\n]+)\.ko/g)].map((match) => canonical(match[1])));
  const ordered = new Map();
  const add = (name) => {
    if (ordered.has(name) || builtinNames.has(name)) return;
    const file = files.get(name);
    if (!file) throw new Error(`the kernel in ${modulesDir} has no module ${name}`);
    const content = readModule(file, busybox);
    for (const dependency of dependenciesOf(content)) add(dependency);
    ordered.set(name, { fileName: `${name}.ko`, content });
  };
  for (const name of names) add(canonical(name));
  return [...ordered.values()];
};
