import { DomainError } from '@kvorum/schema';
import koffi from 'koffi';
import { ERRNO } from './linux-abi.js';

/**
 * The C library's functions this package calls. Bound on first use, so that code which only needs types or the
 * in-memory driver loads no native library.
 *
 * Every call here is synchronous and returns at once: none of them sleeps in the kernel (poll is called with timeout 0).
 */
export interface Libc {
  ioctlValue(fd: number, request: number, argument: number): number;
  ioctlBuffer(fd: number, request: number, argument: Buffer): number;
  schedSetaffinity(threadId: number, maskBytes: number, mask: Buffer): number;
  schedGetaffinity(threadId: number, maskBytes: number, mask: Buffer): number;
  prlimit(pid: number, resource: number, limit: Buffer, before: Buffer | null): number;
  poll(fds: Buffer, count: number, timeoutMs: number): number;
  fallocate(fd: number, mode: number, offsetBytes: number, lengthBytes: number): number;
  mkfifo(path: string, mode: number): number;
  ifNametoindex(name: string): number;
  bindSocket(fd: number, address: Buffer, addressBytes: number): number;
  /** syscall(2) with up to four integer arguments. */
  syscall(number: number, a: number, b: number, c: number, d: number): number;
}

let bound: Libc | undefined;

export function libc(): Libc {
  bound ??= bind();
  return bound;
}

function bind(): Libc {
  const library = koffi.load('libc.so.6');
  return {
    // WHY: Node has no ioctl. Two bindings, as koffi must know whether the third argument is a number or memory.
    // SAFE: ioctl(2) is variadic, but with integer and pointer arguments the x86-64 call is the same as a fixed one
    // (System V ABI 3.5.7: %al only counts vector registers). The Buffer is alive for the length of the call.
    ioctlValue: library.func('ioctl', 'int', ['int', 'ulong', 'long']),
    ioctlBuffer: library.func('int ioctl(int fd, ulong request, _Inout_ void *argument)'),
    // WHY: Node cannot bind another process's threads to CPUs.
    // SAFE: the kernel reads or writes at most `maskBytes`, which is the Buffer's length (checked in cpu/affinity.ts).
    schedSetaffinity: library.func('int sched_setaffinity(int pid, size_t length, const void *mask)'),
    schedGetaffinity: library.func('int sched_getaffinity(int pid, size_t length, _Out_ void *mask)'),
    // WHY: Node cannot change limits of a process. SAFE: the kernel reads and writes one struct rlimit64, which both Buffers
    // are (process/with-inheritance.ts); `before` may be NULL, prlimit(2). glibc's prlimit64 is prlimit on x86-64.
    prlimit: library.func('int prlimit64(int pid, int resource, const void *limit, _Out_ void *before)'),
    // WHY: a pidfd tells of the end of a process that is not our child; Node cannot poll foreign descriptors.
    // SAFE: `fds` holds `count` struct pollfd, and the timeout is 0: the event loop never blocks.
    poll: library.func('int poll(_Inout_ void *fds, ulong count, int timeout)'),
    // WHY: Node has no fallocate. SAFE: numbers only.
    fallocate: library.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)'),
    // WHY: Node makes no FIFOs. SAFE: koffi hands over a copy of the path that ends with NUL.
    mkfifo: library.func('int mkfifo(const char *path, uint mode)'),
    // WHY: os.networkInterfaces() leaves out interfaces without addresses, and /sys may show another namespace.
    // SAFE: koffi hands over a copy of the name that ends with NUL; 0 is "no such interface" (if_nametoindex(3)).
    ifNametoindex: library.func('uint if_nametoindex(const char *name)'),
    // WHY: Node has no packet sockets. SAFE: the kernel reads `length` bytes, which is the Buffer's (network/announce-addresses.ts).
    bindSocket: library.func('int bind(int fd, const void *address, uint length)'),
    // WHY: glibc before 2.36 has no pidfd_open wrapper.
    // SAFE: integers only; unused arguments are ignored by the kernel. Variadic as ioctl above.
    syscall: library.func('syscall', 'long', ['long', 'long', 'long', 'long', 'long']),
  };
}

/** The errno of the last failed call of this thread. Read it before anything else is called. */
export const lastErrno = (): number => koffi.errno();

export const errnoName = (errno: number): string =>
  Object.entries({ ...koffi.os.errno, ...ERRNO }).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;

/** `host_fault` for a system call that returned -1; takes errno from the thread unless told. */
export const callFailure = (what: string, errno = lastErrno()): DomainError =>
  new DomainError('host_fault', `${what} failed: ${errnoName(errno)}`, { details: { errno: errnoName(errno) } });
