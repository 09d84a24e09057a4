import type { RunningVm } from '../../src/index.js';
import type { SeenMachine } from './devices.contract.js';
import { waitUntil } from './wait-until.js';

const ANSWER_MS_MAX = 30_000;

/** Distributions bring vCPUs up by a udev rule; the tiny guest has no udev. The size of a medium is read when it is opened. */
const SCRIPT = `
for cpu in /sys/devices/system/cpu/cpu[1-9]*; do [ -e $cpu/online ] && echo 1 >$cpu/online; done
echo vcpus $(grep -c ^processor /proc/cpuinfo)
echo memory $(awk '/MemTotal/ { print $2 }' /proc/meminfo)
for disk in /sys/block/vd*; do echo disk $(cat $disk/size); done
for card in /sys/class/net/*; do [ "\${card##*/}" = lo ] || echo mac $(cat $card/address); done
if dd if=/dev/sr0 of=/dev/null bs=2048 count=1 2>/dev/null; then echo medium $(cat /sys/block/sr0/size); fi
true
`;
const SECTOR_BYTES = 512;
const KIB = 1024;

/** Asks the guest through its agent. */
export async function seeInGuest(vm: RunningVm): Promise<SeenMachine> {
  await waitUntil('the guest agent', async () => (await vm.pingGuest(ANSWER_MS_MAX)).isResponding, ANSWER_MS_MAX);
  const id = await vm.guest.startCommand({ program: 'sh', args: ['-c', SCRIPT], input: null }, ANSWER_MS_MAX);
  let text = '';
  await waitUntil('the answer', async () => {
    const status = await vm.guest.pollCommand(id, ANSWER_MS_MAX);
    text = Buffer.from(status.stdout).toString();
    return status.hasEnded;
  });
  const valuesOf = (name: string): string[] =>
    text.split('\n').flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1)] : []));
  const [medium] = valuesOf('medium');
  return {
    vcpuCount: Number(valuesOf('vcpus')[0]),
    memoryBytes: Number(valuesOf('memory')[0]) * KIB,
    diskBytes: valuesOf('disk').map((sectors) => Number(sectors) * SECTOR_BYTES),
    macAddresses: valuesOf('mac'),
    mediumBytes: medium === undefined ? null : Number(medium) * SECTOR_BYTES,
  };
}
