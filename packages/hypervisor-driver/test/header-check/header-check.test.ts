import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KVM_EXTENSIONS, KVM_NUMBERS, KVM_RUN_OFFSETS, KVM_STRUCTS } from '../../src/sys/kvm-abi.js';
import { CPU_MASK_BYTES, ERRNO, LINUX_NUMBERS, LINUX_STRUCTS } from '../../src/sys/linux-abi.js';

/** Everything src/sys claims, as C expression -> number. Built from the same objects the driver uses: nothing is left out. */
function claims(): Map<string, number> {
  const found = new Map<string, number>();
  for (const numbers of [KVM_NUMBERS, KVM_EXTENSIONS, LINUX_NUMBERS, ERRNO]) {
    for (const [name, value] of Object.entries(numbers)) found.set(name, value);
  }
  for (const [struct, { sizeBytes, offsets }] of Object.entries({ ...KVM_STRUCTS, ...LINUX_STRUCTS })) {
    found.set(`sizeof(struct ${struct})`, sizeBytes);
    for (const [field, offset] of Object.entries(offsets)) found.set(`offsetof(struct ${struct}, ${field})`, offset);
  }
  for (const [field, offset] of Object.entries(KVM_RUN_OFFSETS))
    found.set(`offsetof(struct kvm_run, ${field})`, offset);
  return found;
}

const HEADERS = [
  'stddef.h',
  'stdio.h',
  'errno.h',
  'poll.h',
  'signal.h',
  'sys/mman.h',
  'sys/syscall.h',
  'linux/falloc.h',
  'linux/kvm.h',
  'linux/resource.h',
];

describe('what src/sys says of the kernel', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kvorum-headers-'));
  const measured = new Map<string, number>();

  beforeAll(() => {
    const lines = [...claims().keys()].map(
      (claim) => `  printf("%s\\t%llu\\n", "${claim}", (unsigned long long)(${claim}));`,
    );
    const includes = HEADERS.map((header) => `#include <${header}>`);
    const program = [...includes, 'int main(void) {', ...lines, '  return 0;', '}', ''].join('\n');
    writeFileSync(join(folder, 'check.c'), program);
    execFileSync('gcc', ['-Wall', '-Werror', '-o', join(folder, 'check'), join(folder, 'check.c')]);
    for (const line of execFileSync(join(folder, 'check'), { encoding: 'utf8' }).trim().split('\n')) {
      const [claim, value] = line.split('\t');
      measured.set(claim as string, Number(value));
    }
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([...claims()])('%s is %i', (claim, value) => {
    expect(measured.get(claim)).toBe(value);
  });

  it('the CPU mask holds as many CPUs as the largest x86 kernel, in whole longs', () => {
    expect(CPU_MASK_BYTES % 8).toBe(0);
    expect(CPU_MASK_BYTES * 8).toBe(8192);
  });
});
