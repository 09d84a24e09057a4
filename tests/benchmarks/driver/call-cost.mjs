import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { threadCpus } from '../../../packages/hypervisor-driver/dist/index.js';
import { endedOf, Pidfd } from '../../../packages/hypervisor-driver/dist/process/pidfd.js';
import { KVM_NUMBERS } from '../../../packages/hypervisor-driver/dist/sys/kvm-abi.js';
import { libc } from '../../../packages/hypervisor-driver/dist/sys/libc.js';
import { LINUX_NUMBERS } from '../../../packages/hypervisor-driver/dist/sys/linux-abi.js';

const CALL_COUNT = 50_000;
const PIDFD_COUNT = 50;

/** Each kind of call that the driver makes, beside the same call in C. `c`: one call; `fd`, `mask`, `fds` are there. */
function callsOf(folder) {
  const device = existsSync('/dev/kvm') ? '/dev/kvm' : '/dev/null';
  const fd = openSync(device, 'r+');
  const file = openSync(path.join(folder, 'hole'), 'w+');
  const mask = Buffer.alloc(1024);
  const one = Pidfd.open(process.pid);
  const many = Array.from({ length: PIDFD_COUNT }, () => Pidfd.open(process.pid));
  const native = libc();
  const hole = LINUX_NUMBERS.FALLOC_FL_PUNCH_HOLE | LINUX_NUMBERS.FALLOC_FL_KEEP_SIZE;
  return {
    device,
    calls: [
      ['ioctl', () => native.ioctlValue(fd, KVM_NUMBERS.KVM_GET_API_VERSION, 0), 'ioctl(fd, 0xae00, 0)'],
      [
        'sched_getaffinity',
        () => native.schedGetaffinity(0, 1024, mask),
        'sched_getaffinity(0, 1024, (cpu_set_t *)mask)',
      ],
      ['sched_getaffinity, decoded', () => threadCpus(process.pid), 'sched_getaffinity(0, 1024, (cpu_set_t *)mask)'],
      ['poll of one pidfd', () => endedOf([one]), 'poll(fds, 1, 0)'],
      [`poll of ${PIDFD_COUNT} pidfds`, () => endedOf(many), `poll(fds, ${PIDFD_COUNT}, 0)`],
      ['pidfd_open and close', () => Pidfd.open(process.pid).close(), 'close(syscall(SYS_pidfd_open, getpid(), 0))'],
      ['fallocate (punch a hole)', () => native.fallocate(file, hole, 0, 4096), 'fallocate(file, 3, 0, 4096)'],
    ],
    close: () => {
      for (const pidfd of [one, ...many]) pidfd.close();
      for (const open of [fd, file]) closeSync(open);
    },
  };
}

export async function measureCalls(folder) {
  const { device, calls, close } = callsOf(folder);
  const inC = measureInC(
    folder,
    device,
    calls.map(([, , c]) => c),
  );
  const rows = calls.map(([what, call], index) => {
    for (let warm = 0; warm < CALL_COUNT / 10; warm += 1) call();
    const begin = process.hrtime.bigint();
    for (let count = 0; count < CALL_COUNT; count += 1) call();
    const ns = Number(process.hrtime.bigint() - begin) / CALL_COUNT;
    return {
      what,
      'through FFI': `${ns.toFixed(0)} ns`,
      'in C': `${inC[index].toFixed(0)} ns`,
      ratio: `${(ns / inC[index]).toFixed(1)}x`,
    };
  });
  close();
  return rows;
}

/** Compiles a loop around each expression and returns ns per call. */
function measureInC(folder, device, expressions) {
  const [source, program] = [path.join(folder, 'calls.c'), path.join(folder, 'calls')];
  const loops = expressions.map((expression) => `  MEASURE(${expression});`);
  writeFileSync(
    source,
    `#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
#define MEASURE(call) do { for (int i = 0; i < ${CALL_COUNT / 10}; i++) (void)!(call); double begin = now(); \\
  for (int i = 0; i < ${CALL_COUNT}; i++) (void)!(call); printf("%f\\n", (now() - begin) / ${CALL_COUNT}); } while (0)
int main(void) {
  int fd = open("${device}", O_RDWR), file = open("${folder}/hole-c", O_RDWR | O_CREAT, 0600);
  static char mask[1024];
  static struct pollfd fds[${PIDFD_COUNT}];
  for (int i = 0; i < ${PIDFD_COUNT}; i++) { fds[i].fd = syscall(SYS_pidfd_open, getpid(), 0); fds[i].events = POLLIN; }
${loops.join('\n')}
  return 0;
}
`,
  );
  execFileSync('gcc', ['-O2', '-o', program, source]);
  return execFileSync(program, { encoding: 'utf8' }).trim().split('\n').map(Number);
}
