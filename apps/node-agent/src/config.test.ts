import { describe, expect, it } from 'vitest';
import { AgentConfig, defaultRunDir, grpcTarget } from './config.js';
import { RUN_DIR_BYTES_MAX, StateFolders } from './state/state-folders.js';

const STATE = { stateDir: '/var/lib/kvorum-agent' };

describe('the configuration', () => {
  it('needs a state folder and nothing else', () => {
    expect(AgentConfig.parse(STATE)).toEqual({
      ...STATE,
      listen: { host: '127.0.0.1', port: 0 },
      allowEmulation: false,
      trustSoftwareKvm: false,
      networks: false,
      storagePool: [],
      mergeBytesPerSecond: 67_108_864,
      cephConf: '/etc/ceph/ceph.conf',
      cephUser: 'kvorum',
      logLevel: 'info',
    });
  });

  it.each([
    ['127.0.0.1:7090', 'dns:///127.0.0.1:7090'],
    ['[::1]:7090', 'dns:///[::1]:7090'],
    ['unix:80', 'dns:///unix:80'],
  ])('reads the address %s', (listen, target) => {
    expect(grpcTarget(AgentConfig.parse({ ...STATE, listen }).listen)).toBe(target);
  });

  it.each([
    [{ ...STATE, stateDir: 'relative' }, 'stateDir'],
    [{ ...STATE, listen: '127.0.0.1' }, 'listen'],
    [{ ...STATE, listen: '127.0.0.1:70000' }, 'listen'],
    [{ ...STATE, listen: 'unix:///run/x:1' }, 'listen'],
    [{ ...STATE, listen: '0.0.0.0:7090' }, 'advertiseHost'],
    [{ ...STATE, name: 'Not A Label' }, 'name'],
    [{ ...STATE, capacityVcpus: '-1' }, 'capacityVcpus'],
    [{ ...STATE, overlayAddress: '192.0.2.1' }, 'networks'],
    [{ ...STATE, networks: true, overlayAddress: 'eth0' }, 'overlayAddress'],
    [{ ...STATE, floatingInterface: 'eth0' }, 'networks'],
    [{ ...STATE, networks: true, floatingInterface: '--help' }, 'floatingInterface'],
    [{ ...STATE, networks: true, nameServers: '192.0.2.1,dns' }, 'nameServers.1'],
    [{ ...STATE, storagePool: ['fast:/srv/fast'] }, 'storagePool.0'],
    [{ ...STATE, storagePool: ['fast=dir:srv/fast'] }, 'storagePool.0'],
    [{ ...STATE, storagePool: ['fast=dir:/srv/../etc'] }, 'storagePool.0'],
    [{ ...STATE, storagePool: ['fast=dir:/'] }, 'storagePool.0'],
    [{ ...STATE, storagePool: ['Fast Pool=dir:/srv/fast'] }, 'storagePool.0'],
    [{ ...STATE, storagePool: ['ceph=rbd:'] }, 'storagePool.0'],
    [{ ...STATE, storagePool: ['ceph=rbd:vms/'] }, 'storagePool.0'],
    [{ ...STATE, storagePool: ['ceph=rbd:vms/a/b'] }, 'storagePool.0'],
    [{ ...STATE, storagePool: ['ceph=rbd:vms@one'] }, 'storagePool.0'],
    [{ ...STATE, storagePool: ['a=rbd:vms/one', 'b=rbd:vms/one'] }, 'storagePool'],
    [{ ...STATE, storagePool: ['fast=lvm-thin:vms'] }, 'storagePool.0'],
    [{ ...STATE, storagePool: ['fast=lvm-thin:vms/a/b'] }, 'storagePool.0'],
    [{ ...STATE, storagePool: ['fast=lvm-thin:../vms'] }, 'storagePool.0'],
    [{ ...STATE, storagePool: ['a=lvm-thin:vms/one', 'b=lvm-thin:vms/one'] }, 'storagePool'],
    [{ ...STATE, cephUser: 'client kvorum' }, 'cephUser'],
    [{ ...STATE, storagePool: ['a=dir:/srv/a', 'a=dir:/srv/b'] }, 'storagePool'],
    [{ ...STATE, storagePool: ['a=dir:/srv/a', 'b=shared-dir:/srv/a/b'] }, 'storagePool'],
    [{ ...STATE, storagePool: ['a=dir:/srv/a', 'b=dir:/srv/a'] }, 'storagePool'],
    [{ ...STATE, logLevel: 'loud' }, 'logLevel'],
  ])('refuses %j', (options, field) => {
    const { error } = AgentConfig.safeParse(options);
    expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([field]);
  });

  it('has a run folder by default that leaves room for sockets', () => {
    expect(defaultRunDir('/a')).toMatch(/^\/run\/kvorum\/[0-9a-f]{8}$/);
    expect(defaultRunDir('/a')).not.toBe(defaultRunDir('/b'));
    expect(defaultRunDir('/a').length).toBeLessThanOrEqual(RUN_DIR_BYTES_MAX);
    expect(() => new StateFolders('/a', '/a/run/folder/that/is/too/long')).toThrow(/23 bytes/);
  });
});
