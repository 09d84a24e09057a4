import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ensureNullDevice } from './null-device.mjs';

const folder = mkdtempSync(join(tmpdir(), 'kv-null-'));
afterAll(() => rmSync(folder, { recursive: true }));

// A file in its place: the rights are what is looked at, and the machine's own device stays untouched.
it.each([
  [0o666, null],
  [0o644, 'had mode 0644; it has its usual 0666 again'],
  [0o600, 'had mode 0600; it has its usual 0666 again'],
])('a null device of mode %o ends with the rights that everybody needs', (mode, note) => {
  const file = join(folder, `null-${mode}`);
  writeFileSync(file, '');
  chmodSync(file, mode);
  expect(ensureNullDevice(file)).toBe(note === null ? null : `${file} ${note}`);
  expect(statSync(file).mode & 0o777).toBe(0o666);
});
