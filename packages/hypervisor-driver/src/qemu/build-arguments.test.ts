import { GIB, PLAIN_HARDWARE } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { ANYWHERE, type LaunchSpec } from '../driver.js';
import { buildArguments } from './build-arguments.js';

const launch: LaunchSpec = {
  vmId: '01900000-0000-7000-8000-000000000001',
  name: 'web-1',
  runDir: '/run/kvorum/1',
  epoch: 4,
  vcpuCount: 4,
  memoryBytes: 2 * GIB,
  accelerator: 'kvm',
  machineType: 'pc-q35-10.0',
  hardware: PLAIN_HARDWARE,
  firmware: { folder: '/var/lib/kvorum/firmware/1', generationId: '01900000-0000-4000-8000-00000000000a' },
  diskPath: '/var/lib/kvorum/disks/a,b.qcow2',
  placement: ANYWHERE,
  isPaused: false,
};
const chain = { imagePath: '/var/lib/kvorum/images/x.qcow2', cache: 'direct' } as const;

/** One line per option, as in a manual. */
function lines(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (const argument of args) {
    if (argument.startsWith('-')) joined.push(argument);
    else joined[joined.length - 1] += ` ${argument}`;
  }
  return joined;
}

describe('the command line of a VM', () => {
  it('is this, whole', () => {
    expect(lines(buildArguments(launch, chain))).toEqual([
      '-name guest=web-1,debug-threads=on',
      '-uuid 01900000-0000-7000-8000-000000000001',
      '-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
      '-nodefaults',
      '-no-user-config',
      '-machine pc-q35-10.0,usb=off,sata=off,smbus=off,vmport=off,graphics=off,dump-guest-core=off',
      '-global ICH9-LPC.disable_s3=1',
      '-global ICH9-LPC.disable_s4=1',
      '-accel kvm',
      '-cpu host,vmx=off,svm=off',
      '-smp cpus=4,sockets=1,cores=4,threads=1',
      '-m size=2048M',
      '-rtc base=utc',
      '-display none',
      '-chardev socket,id=monitor,path=/run/kvorum/1/io/qmp.sock,server=on,wait=off',
      '-mon chardev=monitor,mode=control',
      '-chardev pipe,id=console,path=/run/kvorum/1/io/serial,logfile=/run/kvorum/1/console.log,logappend=on',
      '-serial chardev:console',
      '-blockdev {"node-name":"image-file","driver":"file","filename":"/var/lib/kvorum/images/x.qcow2","read-only":true,"cache":{"direct":false}}',
      '-blockdev {"node-name":"image","driver":"qcow2","file":"image-file","read-only":true,"cache":{"direct":false},"backing":null}',
      '-blockdev {"node-name":"root-file","driver":"file","filename":"/var/lib/kvorum/disks/a,b.qcow2","cache":{"direct":true},"aio":"native","discard":"unmap"}',
      '-blockdev {"node-name":"root","driver":"qcow2","file":"root-file","cache":{"direct":true},"discard":"unmap","backing":"image"}',
      '-device virtio-blk-pci,id=root-disk,drive=root,bootindex=0',
      '-device virtio-balloon-pci,id=balloon,deflate-on-oom=on,free-page-reporting=on',
      '-device virtio-serial-pci,id=channels',
      '-chardev socket,id=guest-agent,path=/run/kvorum/1/io/guest-agent.sock,server=on,wait=off',
      '-device virtserialport,bus=channels.0,chardev=guest-agent,name=org.qemu.guest_agent.0',
      '-object rng-builtin,id=entropy',
      '-device virtio-rng-pci,rng=entropy,max-bytes=65536,period=1000',
      '-global ICH9-LPC.noreboot=on',
      '-device vmgenid,id=generation,guid=01900000-0000-4000-8000-00000000000a',
      '-S',
      '-boot strict=on',
      '-action reboot=reset,shutdown=poweroff,panic=exit-failure',
      '-trace enable=qemu_system_shutdown_request',
      '-msg timestamp=on',
    ]);
  });

  it('emulates with several threads and a bounded translation cache', () => {
    const args = lines(buildArguments({ ...launch, accelerator: 'tcg' }, chain));
    expect(args).toContain('-accel tcg,thread=multi,tb-size=32');
    expect(args).toContain('-cpu max,la57=off,vmx=off,svm=off');
  });

  it('has a screen only when asked to, as the last device, with VNC on a socket of its folder', () => {
    const display = { kind: 'vga' } as const;
    const withScreen = lines(buildArguments({ ...launch, hardware: { ...launch.hardware, display } }, chain));
    const plain = lines(buildArguments(launch, chain));
    const screen = ['-device VGA,id=screen', '-vnc unix:/run/kvorum/1/io/vnc.sock,share=force-shared'];
    const at = plain.indexOf('-S');
    expect(withScreen).toEqual([...plain.slice(0, at), ...screen, ...plain.slice(at)]);
  });

  it('goes through the page cache where the file system has no direct I/O', () => {
    const text = buildArguments(launch, { ...chain, cache: 'page-cache' }).join(' ');
    expect(text).not.toContain('"direct":true');
    expect(text).not.toContain('native');
  });

  it('names files from where the process starts and takes /dev/kvm as an open descriptor, for a user of its own', () => {
    const args = buildArguments(launch, chain, { kvmFd: 3, pathOf: (path) => `../${path.split('/').at(-1)}` });
    expect(lines(args).filter((line) => /add-fd|accel|file"/.test(line))).toEqual([
      '-add-fd fd=3,set=1',
      '-accel kvm,device=/dev/fdset/1',
      expect.stringContaining('"filename":"../x.qcow2"'),
      expect.stringContaining('"driver":"qcow2","file":"image-file"'),
      expect.stringContaining('"filename":"../a,b.qcow2"'),
      expect.stringContaining('"driver":"qcow2","file":"root-file"'),
    ]);
  });

  it('doubles commas in option values, so that a path cannot add options', () => {
    const args = buildArguments({ ...launch, runDir: '/run/a,server=off' }, chain);
    expect(args).toContain('socket,id=monitor,path=/run/a,,server=off/io/qmp.sock,server=on,wait=off');
    expect(args).toContain(
      'pipe,id=console,path=/run/a,,server=off/io/serial,logfile=/run/a,,server=off/console.log,logappend=on',
    );
  });
});
