import { readdir, readFile } from 'node:fs/promises';

/** Where the kernel shows the machine. Readers take it as an argument, so that tests can show them other machines. */
export const SYSFS = '/sys';

/** A file of sysfs without its line end, or null when this kernel or machine has none or does not tell it. */
export async function readFact(path: string): Promise<string | null> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    // ENOENT: not there; EACCES, EINVAL, EIO: drivers refuse single attributes so. One fact less is no failure.
    return null;
  }
}

/** A folder that is not there means a kernel without the feature. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
}

/** The numbers of entries such as "cpu12", "node0", "index3": ascending; other entries are left out. */
export async function numbersIn(folder: string, prefix: string): Promise<number[]> {
  const names = (await namesIn(folder)).filter((name) => name.startsWith(prefix));
  return names
    .map((name) => name.slice(prefix.length))
    .filter((rest) => /^\d+$/.test(rest))
    .map(Number)
    .sort((a, b) => a - b);
}
