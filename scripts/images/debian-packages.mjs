// Debian packages as a source of files: downloaded with the machine's own apt (its mirrors, its signatures) and unpacked into
// a folder. Nothing is installed, so the machine stays as it is and no root is needed.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readlinkSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

const download = async (packageNames, intoDir) => {
  // _apt may not enter our private folder; apt then downloads as ourselves and says so on stderr, which means nothing here.
  await run('apt-get', ['download', '--quiet', ...packageNames], { cwd: intoDir, maxBuffer: OUTPUT_BYTES_MAX });
};

/** The names in a package's Depends; of alternatives ("a | b") the first, which is Debian's preferred one. */
const dependenciesOf = async (debFile) => {
  const { stdout } = await run('dpkg-deb', ['--field', debFile, 'Pre-Depends', 'Depends']);
  const fields = stdout.replaceAll(/^(Pre-)?Depends: /gm, '').replaceAll('\n', ',');
  return fields
    .split(',')
    .map((entry) => entry.trim().split(/[\s|(:]/)[0] ?? '')
    .filter((name) => name !== '');
};

const debFileOf = (dir, packageName) => {
  const file = readdirSync(dir).find((name) => name.startsWith(`${packageName}_`) && name.endsWith('.deb'));
  return file && path.join(dir, file);
};

/**
 * Downloads packages and, of what they depend on, everything `isWanted(name)` says yes to, into `dir`; then unpacks all of it
 * into `rootDir`. Returns the names of the .deb files, which carry the versions.
 */
export const unpackPackages = async ({ packageNames, isWanted, dir, rootDir }) => {
  mkdirSync(dir, { recursive: true });
  mkdirSync(rootDir, { recursive: true });
  let missing = packageNames;
  const seen = new Set(packageNames);
  while (missing.length > 0) {
    await download(missing, dir);
    const found = await Promise.all(missing.map((name) => dependenciesOf(debFileOf(dir, name))));
    missing = [...new Set(found.flat())].filter((name) => !seen.has(name) && isWanted(name));
    for (const name of missing) seen.add(name);
  }
  const debFiles = readdirSync(dir).filter((name) => name.endsWith('.deb'));
  for (const debFile of debFiles) await run('dpkg-deb', ['--extract', path.join(dir, debFile), rootDir]);
  return debFiles.sort();
};

const LIBRARY_DIRS = ['lib', 'usr/lib'].flatMap((dir) => [`${dir}/x86_64-linux-gnu`, dir]);

/** Finds the dynamic loader of an unpacked root; a link in it that starts with / is meant inside that root. */
const loaderOf = (rootDir) => {
  const candidates = ['lib64/ld-linux-x86-64.so.2', 'usr/lib64/ld-linux-x86-64.so.2'].map((name) =>
    path.join(rootDir, name),
  );
  for (const candidate of candidates) {
    if (existsSync(candidate)) return realpathSync(candidate);
    try {
      return path.join(rootDir, readlinkSync(candidate));
    } catch {
      // not there: the next one
    }
  }
  throw new Error(`no dynamic loader below ${rootDir}`);
};

const libraryPathOf = (rootDir) => LIBRARY_DIRS.map((dir) => path.join(rootDir, dir)).join(':');

/** How to run a program of an unpacked root on its own libraries instead of the machine's. */
export const commandInRoot = (rootDir, program) => [
  loaderOf(rootDir),
  '--library-path',
  libraryPathOf(rootDir),
  path.join(rootDir, program),
];

/** The shared libraries a program of an unpacked root needs, as the loader itself resolves them: name -> file. */
export const librariesOf = async (rootDir, program) => {
  const [loader, ...rest] = commandInRoot(rootDir, program);
  const { stdout } = await run(loader, ['--list', ...rest]);
  const libraries = new Map();
  for (const line of stdout.split('\n')) {
    // Not the loader itself, which is listed by its absolute path.
    const match = /^\s*([^\s/]+) => (\S+) \(/.exec(line);
    if (match) libraries.set(match[1], realpathSync(match[2]));
  }
  for (const [name, file] of libraries) {
    if (!file.startsWith(`${realpathSync(rootDir)}/`))
      throw new Error(`${program} needs ${name}, which no downloaded package holds`);
  }
  return { loader, libraries };
};
