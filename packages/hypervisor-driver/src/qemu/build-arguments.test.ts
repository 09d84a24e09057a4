import { GIB, PLAIN_HARDWARE, VmDevices, VmHardware } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { ANYWHERE, type LaunchSpec } from '../driver.js';
import { buildArguments, SHARED_USER } from './build-arguments.js';

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
const chain = { bases: ['/var/lib/kvorum/images/x.qcow2'], cache: 'direct' } as const;

/** Eight root ports in each of two places of the first bus. */
const SLOTS = Array.from({ length: 16 }, (_, index) => {
  const addr = `${index < 8 ? '10' : '11'}.${index % 8}`;
  return `-device {"driver":"pcie-root-port","id":"slot-${index + 1}","bus":"pcie.0","addr":"${addr}","multifunction":true,"chassis":${index + 1},"io-reserve":0}`;
});

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
      '-object {"qom-type":"throttle-group","id":"limit-root","limits":{"iops-total":0,"bps-total":0}}',
      '-blockdev {"node-name":"image-file","driver":"file","filename":"/var/lib/kvorum/images/x.qcow2","read-only":true,"cache":{"direct":false}}',
      '-blockdev {"node-name":"image","driver":"qcow2","file":"image-file","read-only":true,"cache":{"direct":false},"backing":null}',
      '-blockdev {"node-name":"root-file","driver":"file","filename":"/var/lib/kvorum/disks/a,b.qcow2","cache":{"direct":true},"aio":"native","discard":"unmap"}',
      '-blockdev {"node-name":"root","driver":"qcow2","file":"root-file","cache":{"direct":true},"discard":"unmap","backing":"image"}',
      '-blockdev {"node-name":"root-limit","driver":"throttle","throttle-group":"limit-root","file":"root"}',
      '-device virtio-blk-pci,id=root-disk,drive=root-limit,bootindex=0',
      '-device virtio-balloon-pci,id=balloon,deflate-on-oom=on,free-page-reporting=on',
      '-device virtio-serial-pci,id=channels',
      '-chardev socket,id=guest-agent,path=/run/kvorum/1/io/guest-agent.sock,server=on,wait=off',
      '-device virtserialport,bus=channels.0,chardev=guest-agent,name=org.qemu.guest_agent.0',
      '-object rng-builtin,id=entropy',
      '-device virtio-rng-pci,rng=entropy,max-bytes=65536,period=1000',
      '-global ICH9-LPC.noreboot=on',
      '-device vmgenid,id=generation,guid=01900000-0000-4000-8000-00000000000a',
      ...SLOTS,
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

  it('has a screen only when asked to, as the last device of its own, with VNC on a socket of its folder', () => {
    const display = { kind: 'vga' } as const;
    const withScreen = lines(buildArguments({ ...launch, hardware: { ...launch.hardware, display } }, chain));
    const plain = lines(buildArguments(launch, chain));
    const screen = ['-device VGA,id=screen', '-vnc unix:/run/kvorum/1/io/vnc.sock,share=force-shared'];
    const at = plain.indexOf('-S') - SLOTS.length;
    expect(withScreen).toEqual([...plain.slice(0, at), ...screen, ...plain.slice(at)]);
  });

  it('has what was plugged in while it ran, and room for more', () => {
    const devices = VmDevices.parse({
      maxVcpuCount: 8,
      maxMemoryBytes: 3 * GIB,
      dataDisks: [{ id: '01900000-0000-7000-8000-0000000000d1', sizeBytes: GIB, slot: 3, throttle: { iops: 100 } }],
      nics: [{ id: '01900000-0000-7000-8000-0000000000e1', macAddress: '02:00:00:00:00:01', slot: 4 }],
      cdroms: [{ name: 'cdrom-1', imageSha256: 'a'.repeat(64) }, { name: 'cdrom-2' }],
    });
    const attachments = {
      disks: { '01900000-0000-7000-8000-0000000000d1': '/var/lib/kvorum/disks/d.qcow2' },
      media: { ['a'.repeat(64)]: '/var/lib/kvorum/images/m.qcow2' },
    };
    const hardware = { ...launch.hardware, devices };
    const plain = lines(buildArguments(launch, chain));
    const added = lines(buildArguments({ ...launch, hardware, attachments }, chain)).filter(
      (line) => !plain.includes(line),
    );
    expect(added).toEqual([
      '-smp cpus=4,maxcpus=8,sockets=1,cores=8,threads=1',
      '-m size=2048M,maxmem=3072M',
      '-object {"qom-type":"throttle-group","id":"limit-01900000-0000-7000-8000-0000000000d1","limits":{"iops-total":100,"bps-total":0}}',
      '-blockdev {"node-name":"d-00000000700080000000000000d1","driver":"throttle","throttle-group":"limit-01900000-0000-7000-8000-0000000000d1","file":{"driver":"qcow2","node-name":"q-78df840fd84f274d81c28fe3dbd1","file":{"driver":"file","cache":{"direct":true},"aio":"native","filename":"/var/lib/kvorum/disks/d.qcow2","discard":"unmap"},"cache":{"direct":true},"discard":"unmap","backing":null}}',
      '-device {"driver":"virtio-blk-pci","id":"disk-01900000-0000-7000-8000-0000000000d1","bus":"slot-3","drive":"d-00000000700080000000000000d1","serial":"01900000-0000-7000-8"}',
      '-device {"driver":"virtio-net-pci","id":"nic-01900000-0000-7000-8000-0000000000e1","bus":"slot-4","mac":"02:00:00:00:00:01"}',
      `-blockdev {"node-name":"m-${'a'.repeat(28)}","driver":"qcow2","read-only":true,"backing":null,"file":{"driver":"file","filename":"/var/lib/kvorum/images/m.qcow2","read-only":true}}`,
      '-device {"driver":"virtio-scsi-pci","id":"scsi"}',
      `-device {"driver":"scsi-cd","id":"cdrom-cdrom-1","bus":"scsi.0","drive":"m-${'a'.repeat(28)}"}`,
      '-device {"driver":"scsi-cd","id":"cdrom-cdrom-2","bus":"scsi.0"}',
      '-object {"qom-type":"memory-backend-ram","id":"hot-memory-ram","size":1073741824,"reserve":false}',
      '-device {"driver":"virtio-mem-pci","id":"hot-memory","memdev":"hot-memory-ram","node":0,"block-size":2097152,"requested-size":0}',
    ]);
  });

  it('opens a disk in Ceph by a key from a file, past the cache of its library', () => {
    const id = '01900000-0000-7000-8000-0000000000d1';
    const image = { pool: 'vms', namespace: 'site', image: 'a.b', confPath: '/etc/ceph/ceph.conf', user: 'kvorum' };
    const rootImage = { ...image, keyPath: '/state/key' };
    const devices = VmDevices.parse({ dataDisks: [{ id, sizeBytes: GIB, slot: 3, discard: false }] });
    const images = { [id]: { ...rootImage, namespace: null } };
    const hardware = { ...launch.hardware, devices };
    const plain = lines(buildArguments(launch, chain));
    const spec = { ...launch, hardware, rootImage, attachments: { disks: {}, images, media: {} } };
    const args = lines(buildArguments(spec, { image: rootImage }));
    expect(args.filter((line) => !plain.includes(line))).toEqual([
      '-object {"qom-type":"secret","id":"key-root","format":"base64","file":"/run/kvorum/1/keys/root"}',
      '-blockdev {"node-name":"root-limit","driver":"throttle","throttle-group":"limit-root","file":{"driver":"rbd","node-name":"i-f1d18bb8698c2c040574986f9289","pool":"vms","namespace":"site","image":"a.b","conf":"/etc/ceph/ceph.conf","user":"kvorum","key-secret":"key-root","cache":{"direct":true},"discard":"unmap"}}',
      `-object {"qom-type":"throttle-group","id":"limit-${id}","limits":{"iops-total":0,"bps-total":0}}`,
      `-object {"qom-type":"secret","id":"key-${id}","format":"base64","file":"/run/kvorum/1/keys/${id}"}`,
      `-blockdev {"node-name":"d-00000000700080000000000000d1","driver":"throttle","throttle-group":"limit-${id}","file":{"driver":"rbd","node-name":"i-90501bde41fbe1836713ac9dd370","pool":"vms","image":"a.b","conf":"/etc/ceph/ceph.conf","user":"kvorum","key-secret":"key-${id}","cache":{"direct":true},"discard":"ignore"}}`,
      `-device {"driver":"virtio-blk-pci","id":"disk-${id}","bus":"slot-3","drive":"d-00000000700080000000000000d1","serial":"01900000-0000-7000-8"}`,
    ]);
  });

  it('opens a disk that is a device of the host as it is, past the page cache', () => {
    const id = '01900000-0000-7000-8000-0000000000d1';
    const devices = VmDevices.parse({ dataDisks: [{ id, sizeBytes: GIB, slot: 3, discard: false }] });
    const images = { [id]: { devicePath: '/dev/vms/kvi.b' } };
    const rootImage = { devicePath: '/dev/vms/kvi.a' };
    const plain = lines(buildArguments(launch, chain));
    const spec = { ...launch, hardware: { ...launch.hardware, devices }, rootImage };
    const args = lines(
      buildArguments({ ...spec, attachments: { disks: {}, images, media: {} } }, { image: rootImage }),
    );
    expect(args.filter((line) => !plain.includes(line))).toEqual([
      '-blockdev {"node-name":"root-limit","driver":"throttle","throttle-group":"limit-root","file":{"driver":"host_device","node-name":"i-0cb51a43d6cbfe64bbb041902a63","filename":"/dev/vms/kvi.a","cache":{"direct":true},"aio":"native","discard":"unmap"}}',
      `-object {"qom-type":"throttle-group","id":"limit-${id}","limits":{"iops-total":0,"bps-total":0}}`,
      `-blockdev {"node-name":"d-00000000700080000000000000d1","driver":"throttle","throttle-group":"limit-${id}","file":{"driver":"host_device","node-name":"i-b0c26d0791af7a962918e73556d4","filename":"/dev/vms/kvi.b","cache":{"direct":true},"aio":"native","discard":"ignore"}}`,
      `-device {"driver":"virtio-blk-pci","id":"disk-${id}","bus":"slot-3","drive":"d-00000000700080000000000000d1","serial":"01900000-0000-7000-8"}`,
    ]);
  });

  it('is given the tap of a network card open, and tells the guest the MTU of its network', () => {
    const id = '01900000-0000-7000-8000-0000000000e1';
    const backend = { kind: 'network', portId: '01900000-0000-7000-8000-0000000000f1', networkKind: 'nat' };
    const devices = VmDevices.parse({ nics: [{ id, macAddress: '02:00:00:00:00:01', slot: 4, backend }] });
    const attachments = { disks: {}, media: {}, taps: { [id]: { interfaceName: 'kvt0000000000f1', mtu: 1450 } } };
    const withCard = { ...launch, hardware: { ...launch.hardware, devices }, attachments };
    const plain = lines(buildArguments(launch, chain));
    const args = lines(buildArguments(withCard, chain, { ...SHARED_USER, tapFds: { [id]: 4 } }));
    expect(args.filter((line) => !plain.includes(line))).toEqual([
      `-netdev tap,id=net-${id},fd=4`,
      `-device {"driver":"virtio-net-pci","id":"nic-${id}","bus":"slot-4","mac":"02:00:00:00:00:01","netdev":"net-${id}","host_mtu":1450}`,
    ]);
  });

  it('goes through the page cache where the file system has no direct I/O', () => {
    const text = buildArguments(launch, { ...chain, cache: 'page-cache' }).join(' ');
    expect(text).not.toContain('"direct":true');
    expect(text).not.toContain('native');
  });

  it('names files from where the process starts and takes /dev/kvm as an open descriptor, for a user of its own', () => {
    const args = buildArguments(launch, chain, {
      kvmFd: 3,
      arrival: null,
      tapFds: {},
      pathOf: (path) => `../${path.split('/').at(-1)}`,
    });
    expect(lines(args).filter((line) => /add-fd|accel|file"/.test(line))).toEqual([
      '-add-fd fd=3,set=1',
      '-accel kvm,device=/dev/fdset/1',
      expect.stringContaining('"filename":"../x.qcow2"'),
      expect.stringContaining('"driver":"qcow2","file":"image-file"'),
      expect.stringContaining('"filename":"../a,b.qcow2"'),
      expect.stringContaining('"driver":"qcow2","file":"root-file"'),
      expect.stringContaining('"driver":"throttle"'),
    ]);
  });

  it('doubles commas in option values, so that a path cannot add options', () => {
    const args = buildArguments({ ...launch, runDir: '/run/a,server=off' }, chain);
    expect(args).toContain('socket,id=monitor,path=/run/a,,server=off/io/qmp.sock,server=on,wait=off');
    expect(args).toContain(
      'pipe,id=console,path=/run/a,,server=off/io/serial,logfile=/run/a,,server=off/console.log,logappend=on',
    );
  });

  it('has a seed disk that it can only read, behind all other devices, if it is given one', () => {
    const without = lines(buildArguments(launch, chain));
    const seed = lines(buildArguments({ ...launch, seedPath: '/var/lib/kvorum/disks/1/seed.iso' }, chain)).filter(
      (line) => !without.includes(line),
    );
    expect(seed).toEqual([
      '-blockdev {"node-name":"seed","driver":"raw","read-only":true,"file":{"driver":"file","filename":"/var/lib/kvorum/disks/1/seed.iso","read-only":true}}',
      '-device virtio-blk-pci,id=seed-disk,drive=seed,serial=seed',
    ]);
  });

  it('maps the memory of a template privately and plugs no card in before the guest has arrived', () => {
    const nic = { id: launch.vmId, slot: 1, macAddress: '52:54:00:00:00:01', backend: { kind: 'isolated' } };
    const withCard = { ...launch, hardware: VmHardware.parse({ devices: { nics: [nic] } }) };
    const forked = { bases: ['/state/templates/t/disk.qcow2', '/state/images/x.qcow2'], cache: 'direct' } as const;
    const arrival = { role: 'fork', memoryFd: 3, stateFd: 4 } as const;
    const args = lines(buildArguments(withCard, forked, { ...SHARED_USER, arrival }));
    expect(args).toContain(
      '-object memory-backend-file,id=pc.ram,size=2048M,mem-path=/proc/self/fd/3,share=off,readonly=on,rom=off',
    );
    expect(args).toContain('-add-fd fd=4,set=2');
    expect(args).toContain('-incoming defer');
    expect(args.some((line) => line.includes('virtio-net-pci'))).toBe(false);
    expect(
      args.filter((line) => line.includes('"backing":')).map((line) => /"backing":("[^"]*"|null)/.exec(line)?.[1]),
    ).toEqual(['null', '"image"', '"base-1"']);
  });
});
