import { execFileSync } from 'node:child_process';
import { basename } from 'node:path';
import { expect } from 'vitest';

export function makeLayers(paths: readonly string[], sizeBytes: number): void {
  for (const [at, path] of [...paths.entries()].reverse()) {
    const base = paths[at + 1];
    const under = base === undefined ? [] : ['-F', 'qcow2', '-b', basename(base)];
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...under, path, String(sizeBytes)]);
  }
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 7 0 4M', paths.at(-2) ?? '']);
}

export function expectContent(path: string, baseName: string): void {
  execFileSync('qemu-img', ['check', '-q', '-f', 'qcow2', path]);
  const info = JSON.parse(
    execFileSync('qemu-img', ['info', '-f', 'qcow2', '--output=json', path], { encoding: 'utf8' }),
  );
  expect(info['backing-filename']).toBe(baseName);
  // qemu-io ends with 1 where a pattern is not there.
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'read -P 7 0 4M', '-c', 'read -P 0 4M 4M', path]);
}
