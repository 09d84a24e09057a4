import { describe, expect, it } from 'vitest';
import { deriveExit, EXIT_DETAIL_BYTES_MAX, type ExitEvidence, shutdownReasonInLog } from './exit-reason.js';

const trace = (cause: number): string => `9454@1795336839.705607:qemu_system_shutdown_request reason=${cause}\n`;
const evidence = (changes: Partial<ExitEvidence>): ExitEvidence => ({
  shutdownReason: null,
  logTail: '',
  consoleTail: '',
  isEndRequested: false,
  oomKillCount: 0,
  status: { code: 0, signal: null },
  ...changes,
});

describe('why a run ended', () => {
  it.each<[string, Partial<ExitEvidence>, string]>([
    ['the guest powered off, as the monitor told', { shutdownReason: 'guest-shutdown' }, 'guest-shutdown'],
    ['the guest powered off, as only the log tells', { logTail: trace(6) }, 'guest-shutdown'],
    [
      'the guest powered off while we asked for the end',
      { shutdownReason: 'guest-shutdown', isEndRequested: true },
      'guest-shutdown',
    ],
    [
      'the guest powered off, then we killed what was left',
      { logTail: trace(6) + trace(2), isEndRequested: true },
      'guest-shutdown',
    ],
    ['we asked by monitor', { shutdownReason: 'host-qmp-quit' }, 'requested'],
    ['we asked by monitor, before this agent lived', { logTail: trace(2) }, 'requested'],
    ['we killed it', { isEndRequested: true, status: { code: null, signal: 'SIGKILL' } }, 'requested'],
    ['somebody killed it', { status: { code: null, signal: 'SIGKILL' } }, 'crash'],
    [
      'the kernel killed it for want of memory',
      { status: { code: null, signal: 'SIGKILL' }, oomKillCount: 1 },
      'out-of-memory',
    ],
    ['the kernel killed it while nobody watched', { status: null, oomKillCount: 1 }, 'out-of-memory'],
    [
      'we killed it after something else ran out of memory',
      { isEndRequested: true, status: { code: null, signal: 'SIGKILL' }, oomKillCount: 1 },
      'requested',
    ],
    ['it failed by itself after an out-of-memory kill beside it', { oomKillCount: 1 }, 'crash'],
    ['somebody sent SIGTERM', { shutdownReason: 'host-signal' }, 'crash'],
    ['the guest panicked', { shutdownReason: 'guest-panic' }, 'crash'],
    ['it exited without a word', {}, 'crash'],
    ['nothing is known', { status: null }, 'crash'],
  ])('%s', (_what, changes, reason) => {
    expect(deriveExit(evidence(changes)).reason).toBe(reason);
  });

  it('is not taken from a line that only looks like QEMU’s', () => {
    expect(shutdownReasonInLog(`x ${trace(6)}`)).toBeNull();
    expect(shutdownReasonInLog(trace(77))).toBeNull();
  });

  it('comes with the guest’s last lines when nobody wanted it, marked and without control characters', () => {
    const consoleTail = `half a line\r\nKernel panic\u001b[0m\n\n${trace(6)}third\nlast\n`;
    const told = evidence({ logTail: 'qemu: oops', consoleTail, status: { code: 1, signal: null } });
    const { reason, detail } = deriveExit(told);
    expect(reason).toBe('crash');
    expect(detail.split('\n')).toEqual([
      "exit code 1; QEMU's reason: none given",
      'qemu: oops',
      'console: Kernel panic[0m',
      `console: ${trace(6).trim()}`,
      'console: third',
      'console: last',
    ]);
    expect(deriveExit(evidence({ consoleTail, isEndRequested: true })).detail).not.toContain('console:');
  });

  it('comes with the exit code and the process’s last words, bounded', () => {
    const { detail } = deriveExit(evidence({ logTail: `é${'é'.repeat(5000)}END`, status: { code: 1, signal: null } }));
    expect(Buffer.byteLength(detail)).toBeLessThanOrEqual(EXIT_DETAIL_BYTES_MAX);
    expect(detail).toMatch(/^exit code 1; QEMU's reason: none given\né+END$/);
  });
});
