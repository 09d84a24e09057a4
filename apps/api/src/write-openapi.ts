import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openApiText } from './openapi-text.js';

/** Writes packages/schema/openapi/openapi.json; with `--check` says whether it is current. Needs no database. */
const PATH = resolve(dirname(fileURLToPath(import.meta.url)), '../../../packages/schema/openapi/openapi.json');

const text = await openApiText();
if (process.argv.includes('--check')) {
  const committed = await readFile(PATH, 'utf8').catch(() => '');
  if (committed !== text) {
    process.stderr.write(`${PATH} is not current; run: node apps/api/dist/write-openapi.js\n`);
    process.exitCode = 1;
  }
} else {
  await mkdir(dirname(PATH), { recursive: true });
  await writeFile(PATH, text);
}
