import { closeSync } from 'node:fs';
import { callFailure, lastErrno, libc } from '../sys/libc.js';
import { ERRNO, LINUX_NUMBERS, LINUX_STRUCTS } from '../sys/linux-abi.js';

/**
 * A pidfd names one process for good: a signal through it can never hit another process that got the same number
 * later, and it becomes readable when that process ends, whoever its parent is (pidfd_open(2)).
 */
export class Pidfd {
  readonly pid: number;
  #fd: number | null;

  private constructor(pid: number, fd: number) {
    this.pid = pid;
    this.#fd = fd;
  }

  /** Null: there is no such process. The descriptor is close-on-exec by definition of pidfd_open(2). */
  static open(pid: number): Pidfd | null {
    const fd = libc().syscall(LINUX_NUMBERS.SYS_pidfd_open, pid, 0, 0, 0);
    if (fd >= 0) return new Pidfd(pid, fd);
    const errno = lastErrno();
    // EINVAL: the number is that of a thread which is no process any more.
    if (errno === ERRNO.ESRCH || errno === ERRNO.EINVAL) return null;
    throw callFailure(`opening process ${pid}`, errno);
  }

  /** Null once closed: the number may by then belong to another file, so nothing may use it. */
  get fd(): number | null {
    return this.#fd;
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  /** SIGKILL: the process cannot refuse it, stopped or not. Nothing happens if it has ended or the pidfd is closed. */
  kill(): void {
    if (this.#fd === null) return;
    const { SYS_pidfd_send_signal, SIGKILL } = LINUX_NUMBERS;
    if (libc().syscall(SYS_pidfd_send_signal, this.#fd, SIGKILL, 0, 0) === 0) return;
    const errno = lastErrno();
    if (errno !== ERRNO.ESRCH) throw callFailure(`killing process ${this.pid}`, errno);
  }
}

/** Those of the processes that have ended; one system call for all of them. Closed pidfds are left out. */
export function endedOf(pidfds: readonly Pidfd[]): Pidfd[] {
  const open = pidfds.flatMap((pidfd) => (pidfd.fd === null ? [] : [{ pidfd, fd: pidfd.fd }]));
  const { sizeBytes, offsets } = LINUX_STRUCTS.pollfd;
  const polled = Buffer.alloc(open.length * sizeBytes);
  for (const [index, { fd }] of open.entries()) {
    polled.writeInt32LE(fd, index * sizeBytes + offsets.fd);
    polled.writeInt16LE(LINUX_NUMBERS.POLLIN, index * sizeBytes + offsets.events);
  }
  if (libc().poll(polled, open.length, 0) < 0) {
    const errno = lastErrno();
    // A signal arrived first: nothing is known, the next round asks again.
    if (errno === ERRNO.EINTR) return [];
    throw callFailure('polling processes', errno);
  }
  return open
    .filter((_, index) => polled.readInt16LE(index * sizeBytes + offsets.revents) !== 0)
    .map(({ pidfd }) => pidfd);
}
