import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestPort } from '@kvorum/hypervisor-driver';
import { DomainError } from '@kvorum/schema';

/** A guest agent that was there when the template was made answers within a second, under emulation too. */
const REFRESH_TIMEOUT_MS = 20_000;
const ANSWER_TIMEOUT_MS = 5_000;
const LOOK_AGAIN_MS = 100;
const SEED_BYTES = 64;
const MS_PER_S = 1000;

/**
 * $1: the time, for an agent that cannot set it; standard input: randomness. It is mixed in by the write, and drawn from once the
 * kernel reseeds: at once with RNDRESEEDCRNG (0x5207, linux/random.h), which takes a language that knows ioctl(2), else within a
 * minute. A kernel with the driver of the generation id did all that when the guest went on.
 */
const SCRIPT = `
[ -z "$1" ] || date -u -s "@$1" >/dev/null && echo clock
cat >/dev/urandom && echo mixed
if [ -e /sys/bus/acpi/drivers/vmgenid ] || [ -e /sys/bus/platform/drivers/vmgenid ]; then echo reseeded
elif perl -e 'open F, ">", "/dev/urandom"; exit !ioctl(F, 0x5207, 0)' 2>/dev/null; then echo reseeded
elif python3 -c 'import fcntl; fcntl.ioctl(open("/dev/urandom", "wb"), 0x5207)' 2>/dev/null; then echo reseeded
fi
true`;

/**
 * Gives the guest of a fork the time and randomness of its own, through its agent. Returns what could not be done, in words for
 * people, or null; throws only when the VM has ended.
 */
export async function refreshFork(guest: GuestPort, nowMs = (): number => Date.now()): Promise<string | null> {
  try {
    const isClockSet = await setClock(guest, nowMs);
    const seconds = isClockSet ? '' : String(Math.round(nowMs() / MS_PER_S));
    const command = { program: 'sh', args: ['-c', SCRIPT, 'sh', seconds], input: randomBytes(SEED_BYTES) };
    const said = await outputOf(guest, await guest.startCommand(command, ANSWER_TIMEOUT_MS));
    const lacks: string[] = [];
    if (!isClockSet && !said.has('clock')) lacks.push('its clock shows the time of the template');
    if (!said.has('mixed') && !said.has('reseeded'))
      lacks.push("its random numbers are those of the template's other forks");
    else if (!said.has('reseeded'))
      lacks.push('its kernel uses new randomness only from its next reseeding on, within a minute');
    return lacks.length === 0 ? null : lacks.join('; ');
  } catch (thrown) {
    if (!(thrown instanceof DomainError) || thrown.code === 'guest_fault' || thrown.code === 'conflict_state')
      throw thrown;
    return `its clock and random numbers are those of the template: ${thrown.message}`;
  }
}

/** False: its agent cannot, such as for want of hwclock(8); whether the clock was set is then not known. */
async function setClock(guest: GuestPort, nowMs: () => number): Promise<boolean> {
  try {
    await guest.setTime(nowMs(), ANSWER_TIMEOUT_MS);
    return true;
  } catch (thrown) {
    if (thrown instanceof DomainError && thrown.details['kind'] === 'refused') return false;
    throw thrown;
  }
}

async function outputOf(guest: GuestPort, commandId: number): Promise<ReadonlySet<string>> {
  const giveUpAtMs = performance.now() + REFRESH_TIMEOUT_MS;
  while (performance.now() < giveUpAtMs) {
    const { hasEnded, stdout } = await guest.pollCommand(commandId, ANSWER_TIMEOUT_MS);
    if (hasEnded) return new Set(Buffer.from(stdout).toString('latin1').split('\n'));
    await sleep(LOOK_AGAIN_MS);
  }
  throw new DomainError('deadline_exceeded', `the guest did not renew them within ${REFRESH_TIMEOUT_MS} ms`);
}
