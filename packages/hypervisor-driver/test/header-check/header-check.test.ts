import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KVM_EXTENSIONS, KVM_NUMBERS, KVM_RUN_OFFSETS, KVM_STRUCTS } from '../../src/sys/kvm-abi.js';
import { CPU_MASK_BYTES, ERRNO, LINUX_NUMBERS, LINUX_STRUCTS } from '../../src/sys/linux-abi.js';

const SYS_FOLDER = fileURLToPath(new URL('../../src/sys/', import.meta.url));
const NUMBERS = [KVM_NUMBERS, KVM_EXTENSIONS, LINUX_NUMBERS, ERRNO];
const COMPARED: ReadonlySet<unknown> = new Set([...NUMBERS, KVM_STRUCTS, LINUX_STRUCTS, KVM_RUN_OFFSETS]);

/** Everything src/sys claims, as C expression -> number. Built from the same objects the driver uses: nothing is left out. */
function claims(): Map<string, number> {
  const found = new Map<string, number>();
  for (const numbers of NUMBERS) {
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
  'sys/socket.h',
  'linux/falloc.h',
  'linux/if.h',
  'linux/if_arp.h',
  'linux/if_ether.h',
  'linux/if_packet.h',
  'linux/if_tun.h',
  'linux/kvm.h',
  'linux/sockios.h',
];

describe('what src/sys says of the kernel', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kvorum-headers-'));
  const measured = new Map<string, number>();

  beforeAll(() => {
    const lines = [...claims().keys()].map(
      (claim) => `  printf("%s\\t%llu\\n", "${claim}", (unsigned long long)(${claim}));`,
    );
    // The kernel's and the C library's headers both define these; nothing here measures them.
    const twice = ['timeval', 'timespec'];
    const includes = [
      ...twice.map((name) => `#define ${name} ${name}_of_the_kernel`),
      '#include <linux/resource.h>',
      ...twice.map((name) => `#undef ${name}`),
      ...HEADERS.map((header) => `#include <${header}>`),
    ];
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

  it('is compared whole: nothing that src/sys exports is left out', async () => {
    const files = readdirSync(SYS_FOLDER).filter((name) => name.endsWith('.ts'));
    for (const file of files) {
      const exported = (await import(join(SYS_FOLDER, file))) as Record<string, unknown>;
      for (const [name, value] of Object.entries(exported)) {
        // Functions carry no number of the kernel's; CPU_MASK_BYTES is a choice of ours, checked below.
        if (typeof value === 'function' || value === CPU_MASK_BYTES) continue;
        expect([file, name, COMPARED.has(value)]).toEqual([file, name, true]);
      }
      // A number beside the named ones would escape the comparison.
      const code = readFileSync(join(SYS_FOLDER, file), 'utf8').replaceAll(/\/\/.*$|\/\*[\s\S]*?\*\//gm, '');
      const loose = code.replaceAll(/^export const [A-Z_]+ = [\s\S]*?;$/gm, '').match(/\b0x[0-9a-f]+\b|\b\d{2,}\b/gi);
      expect([file, loose ?? []]).toEqual([file, []]);
    }
  });

  it('the CPU mask holds as many CPUs as the largest x86 kernel, in whole longs', () => {
    expect(CPU_MASK_BYTES % 8).toBe(0);
    expect(CPU_MASK_BYTES * 8).toBe(8192);
  });
});
