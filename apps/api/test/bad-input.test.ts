import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ask, openSite, type Site } from './open-site.js';

const ID = '019a0000-0000-7000-8000-000000000001';
const GIB = 1024 ** 3;
const FLAVOR = { name: 'small', vcpuCount: 1, memoryBytes: GIB, rootDiskBytes: GIB };
const VM = { name: 'web-1', flavorId: ID, imageId: ID };
const QUOTA = { vmCount: 1, vcpuCount: 1, memoryBytes: 1, diskBytes: 1 };
const VM_STOP = `/v1/vms/${ID}/stop`;
const VM_START = `/v1/vms/${ID}/start`;

interface Case {
  readonly what: string;
  readonly call: [method: string, url: string, ask?: Ask];
  readonly status: number;
  readonly code: string;
  /** The fields named, exactly. */
  readonly fields: readonly string[];
}
const asAdmin = (body: unknown): Ask => ({ as: 'admin', body });
const wrong = (what: string, call: Case['call'], ...fields: string[]): Case => ({
  what,
  call,
  status: 400,
  code: 'invalid_request',
  fields,
});
const post = (url: string, body: unknown): Case['call'] => ['POST', url, asAdmin(body)];
const flavorWith = (fields: object): Case['call'] => post('/v1/flavors', { ...FLAVOR, ...fields });
const download = (fields: object): Case['call'] =>
  post('/v1/images/download', { name: 'a', url: 'https://example.org/x', ...fields });
const vmWith = (fields: object): Case['call'] => post('/v1/vms', { ...VM, ...fields });
const raw = (text: string | Buffer, headers: Record<string, string> = {}): Case['call'] => [
  'POST',
  '/v1/flavors',
  { as: 'admin', raw: text, headers },
];
const start = (headers: Record<string, string>): Case['call'] => ['POST', VM_START, { as: 'admin', headers }];

const BODIES: Case[] = [
  wrong('malformed JSON', raw('{"name": "a"'), 'body'),
  wrong('JSON with a trailing comma', raw('{"name": "a",}'), 'body'),
  wrong('no body', ['POST', '/v1/flavors', { as: 'admin' }], 'body'),
  wrong('an empty body', raw(''), 'body'),
  wrong('an array', raw('[]'), 'body'),
  wrong('no content', ['PUT', `/v1/images/${ID}/content`, { as: 'admin' }], 'body'),
  wrong('no content of a part', ['PUT', `/v1/images/${ID}/parts/1`, { as: 'admin' }], 'body'),
  wrong('a part that is none', ['PUT', `/v1/images/${ID}/parts/0`, { as: 'admin' }], 'path.partNumber'),
  wrong('a number of parts that is none', post(`/v1/images/${ID}/complete`, { partCount: 0 }), 'body.partCount'),
  wrong(
    'an unknown project of a token',
    post('/v1/tokens', { name: 'a', role: 'viewer', projectId: 7 }),
    'body.projectId',
  ),
  wrong('null', raw('null'), 'body'),
  wrong('a deep nest', raw(`${'['.repeat(20_000)}${']'.repeat(20_000)}`), 'body'),
  wrong('text that is not UTF-8', raw(Buffer.from([0x22, 0xff, 0xfe, 0x22])), 'body'),
  wrong('unknown fields', flavorWith({ colour: 'red', __proto__x: 1 }), 'body.colour', 'body.__proto__x'),
  wrong(
    'a prototype',
    raw('{"__proto__": {"role": "admin"}, "name": "a"}'),
    'body.vcpuCount',
    'body.memoryBytes',
    'body.rootDiskBytes',
    'body.__proto__',
  ),
  wrong('a body where none is taken', ['POST', VM_START, asAdmin({ force: true })], 'body'),
  wrong('a body that is no object where none is taken', ['POST', VM_START, asAdmin([1])], 'body'),
];
const CPUS: Case[] = [
  wrong(
    'a CPU model without a version',
    vmWith({ hardware: { cpu: { model: 'Haswell' } } }),
    'body.hardware.cpu.model',
  ),
  wrong(
    'a CPU model with options',
    vmWith({ hardware: { cpu: { model: 'max,enforce=off-v1' } } }),
    'body.hardware.cpu.model',
  ),
  wrong(
    'a topology without cores',
    vmWith({ hardware: { cpu: { topology: { sockets: 1, cores: 0, threads: 1 } } } }),
    'body.hardware.cpu.topology.cores',
  ),
  wrong(
    'more threads than a core has',
    vmWith({ hardware: { cpu: { topology: { sockets: 1, cores: 1, threads: 3 } } } }),
    'body.hardware.cpu.topology.threads',
  ),
  wrong('a machine type without a version', vmWith({ hardware: { machineType: 'q35' } }), 'body.hardware.machineType'),
  wrong('a group with a host that is none', post('/v1/host-groups', { name: 'a', hostIds: ['x'] }), 'body.hostIds.0'),
  wrong('a preview without hosts', post(`/v1/host-groups/${ID}/cpu-baseline/preview`, { hostIds: [] }), 'body.hostIds'),
];
const devicesWith = (devices: object): Case['call'] => vmWith({ hardware: { devices } });
const DEVICES: Case[] = [
  wrong('a disk without a size', devicesWith({ dataDisks: [{}] }), 'body.hardware.devices.dataDisks.0.sizeBytes'),
  wrong(
    'a disk of no whole bytes',
    devicesWith({ dataDisks: [{ sizeBytes: 1.5 }] }),
    'body.hardware.devices.dataDisks.0.sizeBytes',
  ),
  wrong(
    'a serial that no guest can read',
    devicesWith({ dataDisks: [{ sizeBytes: 2 ** 30, serial: 'a b' }] }),
    'body.hardware.devices.dataDisks.0.serial',
  ),
  wrong(
    'more disks than slots',
    devicesWith({ dataDisks: Array.from({ length: 17 }, () => ({ sizeBytes: 2 ** 30 })) }),
    'body.hardware.devices.dataDisks',
  ),
  wrong(
    'an address of many',
    devicesWith({ nics: [{ macAddress: 'ff:ff:ff:ff:ff:ff' }] }),
    'body.hardware.devices.nics.0.macAddress',
  ),
  wrong(
    'a card of a kind that is none',
    devicesWith({ nics: [{ backend: { kind: 'teleport' } }] }),
    'body.hardware.devices.nics.0.backend.kind',
  ),
  wrong(
    'a card on a network that is not named',
    devicesWith({ nics: [{ backend: { kind: 'network' } }] }),
    'body.hardware.devices.nics.0.backend.networkId',
  ),
  wrong(
    'a card with a port that is no id',
    devicesWith({ nics: [{ backend: { kind: 'network', portId: 'shop/web-1' } }] }),
    'body.hardware.devices.nics.0.backend.portId',
  ),
  wrong(
    'a drive with a path',
    devicesWith({ cdroms: [{ name: 'cdrom-1', imageId: '/etc/passwd' }] }),
    'body.hardware.devices.cdroms.0.imageId',
  ),
];
const networkWith = (fields: object): Case['call'] =>
  post('/v1/networks', { name: 'shop', cidr: '10.20.0.0/24', ...fields });
const portWith = (fields: object): Case['call'] => post(`/v1/networks/${ID}/ports`, fields);
const ruleWith = (fields: object): Case['call'] =>
  post('/v1/security-groups', { name: 'web', rules: [{ direction: 'ingress', ...fields }] });
const NETWORKS: Case[] = [
  ...[
    '10.20.0.1/24',
    '10.0.0.0/8',
    '10.20.0.0/30',
    '127.0.0.0/24',
    '169.254.0.0/16',
    '224.0.0.0/24',
    'fd00::/64',
    7,
  ].map((cidr) => wrong(`the range ${cidr}`, networkWith({ cidr }), 'body.cidr')),
  wrong('a gateway outside', networkWith({ gateway: '10.21.0.1' }), 'body.gateway'),
  wrong('a gateway that is no address', networkWith({ gateway: '10.20.0.1\u0000' }), 'body.gateway'),
  wrong('a wire without an uplink', networkWith({ kind: 'bridge' }), 'body.uplink'),
  wrong('a VLAN without a wire', networkWith({ vlanId: 7 }), 'body.vlanId'),
  wrong('an uplink with options', networkWith({ kind: 'bridge', uplink: 'eth1;reboot' }), 'body.uplink'),
  wrong('a domain with a line break', networkWith({ dnsDomain: 'a.b\nserver=1.2.3.4' }), 'body.dnsDomain'),
  wrong('a VNI of the caller', networkWith({ vni: 7 }), 'body.vni'),
  wrong('a multicast MAC address', portWith({ macAddress: '53:54:00:00:00:01' }), 'body.macAddress'),
  wrong("a maker's MAC address", portWith({ macAddress: '00:1b:21:00:00:01' }), 'body.macAddress'),
  wrong('an address that is none', portWith({ address: '10.20.0' }), 'body.address'),
  wrong('a limit in Mbit', portWith({ egressBitsPerSecond: 100 }), 'body.egressBitsPerSecond'),
  wrong('a limit of no bits', portWith({ ingressBitsPerSecond: 1_000_000.5 }), 'body.ingressBitsPerSecond'),
  wrong('a group twice', portWith({ securityGroupIds: [ID, ID] }), 'body.securityGroupIds'),
  wrong('a rule for ports of ICMP', ruleWith({ protocol: 'icmp', portMin: 8 }), 'body.rules.0.portMin'),
  wrong(
    'a rule for a range the wrong way',
    ruleWith({ protocol: 'tcp', portMin: 9, portMax: 8 }),
    'body.rules.0.portMax',
  ),
  wrong('a rule with nftables in it', ruleWith({ cidr: '0.0.0.0/0 accept' }), 'body.rules.0.cidr'),
  wrong(
    'too many rules',
    post('/v1/security-groups', { name: 'a', rules: Array(251).fill({ direction: 'egress' }) }),
    'body.rules',
  ),
  { what: 'a port on no network', call: portWith({}), status: 404, code: 'not_found', fields: [] },
  {
    what: 'a rule for a group that is not there',
    call: ruleWith({ peerGroupId: ID }),
    status: 404,
    code: 'not_found',
    fields: ['body.rules.0.peerGroupId'],
  },
  {
    what: 'a wire asked for by an operator',
    call: [
      'POST',
      '/v1/networks',
      { as: 'operator', body: { name: 'a', cidr: '10.20.0.0/24', kind: 'bridge', uplink: 'eth1' } },
    ],
    status: 403,
    code: 'forbidden',
    fields: ['body.kind'],
  },
];
const NUMBERS: Case[] = [
  wrong('a text for a number', flavorWith({ vcpuCount: '2' }), 'body.vcpuCount'),
  wrong('a fraction', flavorWith({ vcpuCount: 1.5 }), 'body.vcpuCount'),
  wrong('a negative number', flavorWith({ vcpuCount: -1 }), 'body.vcpuCount'),
  wrong('zero', flavorWith({ vcpuCount: 0 }), 'body.vcpuCount'),
  wrong('more vCPUs than can be', flavorWith({ vcpuCount: 289 }), 'body.vcpuCount'),
  wrong('a number past 2^53', raw(JSON.stringify(FLAVOR).replace(String(GIB), '1e300')), 'body.memoryBytes'),
  wrong('memory that is no whole MiB', flavorWith({ memoryBytes: GIB + 1 }), 'body.memoryBytes'),
  wrong('a huge disk', flavorWith({ rootDiskBytes: 2 ** 60 }), 'body.rootDiskBytes'),
  wrong('a negative time', ['POST', VM_STOP, asAdmin({ graceMs: -5 })], 'body.graceMs'),
  wrong('a huge time', ['POST', VM_STOP, asAdmin({ graceMs: 1e9 })], 'body.graceMs'),
  wrong(
    'a negative quota',
    post('/v1/projects', { name: 'a', quota: { ...QUOTA, vmCount: -1 } }),
    'body.quota.vmCount',
  ),
  wrong('null for a number', flavorWith({ vcpuCount: null }), 'body.vcpuCount'),
  wrong('true for a number', flavorWith({ vcpuCount: true }), 'body.vcpuCount'),
];
const NAMES: Case[] = [
  ...[
    '../../etc/passwd',
    'a\u0000b',
    'ünïcode',
    '\u202Eevil',
    'A',
    '-a',
    'a-',
    '',
    'a'.repeat(64),
    "'; DROP TABLE vms; --",
    '\ud800',
  ].map((name) => wrong(`the name ${JSON.stringify(name).slice(0, 40)}`, vmWith({ name }), 'body.name')),
  wrong('a number as name', vmWith({ name: 7 }), 'body.name'),
  wrong('ids that are none', vmWith({ flavorId: 'small', imageId: 7 }), 'body.flavorId', 'body.imageId'),
  wrong('a label key with a path', vmWith({ labels: { '../x': 'y' } }), 'body.labels.../x'),
  wrong('a label value with NUL', vmWith({ labels: { x: 'a\u0000' } }), 'body.labels.x'),
  wrong('a label value with a lone surrogate', vmWith({ labels: { x: '\udc00' } }), 'body.labels.x'),
  wrong(
    'too many labels',
    vmWith({ labels: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`l${i}`, ''])) }),
    'body.labels',
  ),
  wrong(
    'a reason with an escape sequence',
    ['POST', `/v1/hosts/${ID}/cordon`, asAdmin({ reason: '\u001b[2J' })],
    'body.reason',
  ),
  wrong(
    'an admin token for a project',
    post('/v1/tokens', { name: 'a', role: 'admin', projectId: ID }),
    'body.projectId',
  ),
  wrong('an unknown role', post('/v1/tokens', { name: 'a', role: 'root' }), 'body.role'),
  wrong('a checksum that is none', post('/v1/images', { name: 'a', sha256: 'E3B0' }), 'body.sha256'),
  wrong('a file as URL', download({ url: 'file:///etc/passwd' }), 'body.url'),
  wrong('a URL with a password', download({ url: 'https://a:b@example.org/x' }), 'body.url'),
  wrong('a URL with a query', download({ url: 'https://example.org/x?signature=1' }), 'body.url'),
  wrong('http without a checksum', download({ url: 'http://example.org/x' }), 'body.url'),
  wrong('no URL', download({ url: 'debian' }), 'body.url'),
  wrong('two checksums', download({ sha256: 'a'.repeat(64), sha512: 'b'.repeat(128) }), 'body.sha512'),
];
const ADDRESSES: Case[] = [
  wrong('a path that is no id', ['GET', '/v1/vms/..%2F..%2Fetc', { as: 'admin' }], 'path.vmId'),
  wrong('NUL in a path', ['GET', '/v1/vms/a%00b', { as: 'admin' }], 'path.vmId'),
  wrong('a broken escape in a path', ['GET', '/v1/vms/%zz', { as: 'admin' }], 'path'),
  wrong('an unknown query field', ['GET', '/v1/vms?colour=red', { as: 'admin' }], 'query.colour'),
  wrong('a query on a route without one', ['GET', `/v1/vms/${ID}?x=1`, { as: 'admin' }], 'query.x'),
  ...['0', '-1', '501', 'ten', '1.5', '', '1e9'].map((limit) =>
    wrong(`limit=${limit}`, ['GET', `/v1/vms?limit=${limit}`, { as: 'admin' }], 'query.limit'),
  ),
  wrong('a limit given twice', ['GET', '/v1/vms?limit=1&limit=2', { as: 'admin' }], 'query.limit'),
  wrong('an unknown state', ['GET', '/v1/vms?state=asleep', { as: 'admin' }], 'query.state'),
  ...['%00', 'bm90IGFuIGlk', '0', encodeURIComponent("' OR 1=1 --")].flatMap((cursor) =>
    [
      'vms',
      'hosts',
      'images',
      'flavors',
      'projects',
      'tokens',
      'operations',
      'placements',
      'networks',
      'security-groups',
      'floating-ranges',
      'floating-addresses',
      'vm-groups',
      'leftovers',
      'vm-templates',
    ].map((list) =>
      wrong(`cursor ${cursor} of ${list}`, ['GET', `/v1/${list}?cursor=${cursor}`, { as: 'admin' }], 'query.cursor'),
    ),
  ),
  wrong('an endless cursor', ['GET', `/v1/vms?cursor=${'a'.repeat(600)}`, { as: 'admin' }], 'query.cursor'),
  wrong('no flavor to count', ['GET', '/v1/capacity', { as: 'admin' }], 'query.flavorId'),
  wrong(
    'capacity by an unknown level',
    ['GET', `/v1/capacity?flavorId=${ID}&level=floor`, { as: 'admin' }],
    'query.level',
  ),
  wrong('a wait without an end', vmWith({ waitForCapacity: { priority: 1 } }), 'body.waitForCapacity.deadlineMs'),
  wrong(
    'a wait of no time',
    vmWith({ waitForCapacity: { deadlineMs: 0, priority: 0 } }),
    'body.waitForCapacity.deadlineMs',
  ),
  wrong(
    'a priority that there is not',
    vmWith({ waitForCapacity: { deadlineMs: 60_000, priority: 101 } }),
    'body.waitForCapacity.priority',
  ),
  wrong('the queue of no project', ['GET', '/v1/placement-queue?projectId=all', { as: 'admin' }], 'query.projectId'),
  wrong('nothing to simulate', post('/v1/placements/simulate', { vms: [] }), 'body.vms'),
  wrong(
    'zero VMs to simulate',
    post('/v1/placements/simulate', { vms: [{ flavorId: ID, count: 0 }] }),
    'body.vms.0.count',
  ),
  wrong(
    'more VMs than one question has',
    post('/v1/placements/simulate', {
      vms: [
        { flavorId: ID, count: 60 },
        { flavorId: ID, count: 41 },
      ],
    }),
    'body.vms',
  ),
  wrong(
    'a failure of nothing',
    post('/v1/placements/simulate-failure', { level: 'planet', name: '' }),
    'body.level',
    'body.name',
  ),
  wrong('a drain in no moves', post(`/v1/hosts/${ID}/drain/plan`, { moveCountMax: 0 }), 'body.moveCountMax'),
  wrong('a goal that is none', post('/v1/rebalance/plan', { goal: 'perfect' }), 'body.goal'),
  wrong('a drain of no moves', post(`/v1/hosts/${ID}/drain`, { moveCountMax: 0 }), 'body.moveCountMax'),
  wrong('a rebalance with a goal that is none', post('/v1/rebalance', { goal: 'perfect' }), 'body.goal'),
  wrong('a move to a host that is no id', post(`/v1/vms/${ID}/move`, { hostId: 'host-b' }), 'body.hostId'),
  wrong('a publishing without a name', post(`/v1/vms/${ID}/publish`, {}), 'body.name'),
  wrong(
    'a publishing with a description of two lines',
    post(`/v1/vms/${ID}/publish`, { name: 'a', description: 'b\nc' }),
    'body.description',
  ),
  wrong(
    'a publishing with a dry run that is none',
    post(`/v1/vms/${ID}/publish?dryRun=yes`, { name: 'a' }),
    'query.dryRun',
  ),
  wrong('a move with a dry run that is none', post(`/v1/vms/${ID}/move?dryRun=yes`, {}), 'query.dryRun'),
  wrong('a template without a name', post(`/v1/vms/${ID}/freeze-template`, {}), 'body.name'),
  wrong(
    'a template of a VM that may keep running',
    post(`/v1/vms/${ID}/freeze-template`, { name: 'a', keepsRunning: 'maybe' }),
    'body.keepsRunning',
  ),
  wrong('a template that is no id', ['GET', '/v1/vm-templates/web-warm', { as: 'admin' }], 'path.templateId'),
  wrong('a template to delete that is no id', ['DELETE', '/v1/vm-templates/a%00b', { as: 'admin' }], 'path.templateId'),
  wrong('a state of no template', ['GET', '/v1/vm-templates?state=thawed', { as: 'admin' }], 'query.state'),
  wrong('a negative tolerance', post('/v1/rebalance/plan', { toleranceShare: -1 }), 'body.toleranceShare'),
  wrong('an unknown outcome', ['GET', '/v1/placements?outcome=maybe', { as: 'admin' }], 'query.outcome'),
  wrong('a placement that is no id', ['GET', '/v1/placements/newest', { as: 'admin' }], 'path.placementId'),
  wrong('a negative offset', ['GET', `/v1/vms/${ID}/console?offset=-1`, { as: 'admin' }], 'query.offset'),
  { what: 'no such route', call: ['GET', '/v1/nothing', { as: 'admin' }], status: 404, code: 'not_found', fields: [] },
  {
    what: 'another method',
    call: ['PUT', '/v1/vms', { as: 'admin' }],
    status: 405,
    code: 'method_not_allowed',
    fields: [],
  },
];
const HEADERS: Case[] = [
  ...['', 'a b', 'a,b', 'ä', 'k'.repeat(129), '\u0001'].map((key) =>
    wrong(
      `Idempotency-Key ${JSON.stringify(key).slice(0, 20)}`,
      start({ 'idempotency-key': key }),
      'header.idempotency-key',
    ),
  ),
  ...['7', '"7', 'W/7', '"1", "2"'].map((tag) =>
    wrong(`If-Match ${tag}`, start({ 'if-match': tag }), 'header.if-match'),
  ),
  {
    what: 'a body of another type',
    call: raw('name=a', { 'content-type': 'application/x-www-form-urlencoded' }),
    status: 415,
    code: 'unsupported_media_type',
    fields: ['header.content-type'],
  },
  {
    what: 'a content type that is none',
    call: raw('{}', { 'content-type': '////' }),
    status: 415,
    code: 'unsupported_media_type',
    fields: ['header.content-type'],
  },
  {
    what: 'JSON where bytes are taken',
    call: ['PUT', `/v1/images/${ID}/content`, asAdmin({})],
    status: 415,
    code: 'unsupported_media_type',
    fields: ['header.content-type'],
  },
  {
    what: 'a huge body',
    call: raw(`"${'x'.repeat(1_000_000)}"`),
    status: 413,
    code: 'payload_too_large',
    fields: ['body'],
  },
];
const CALLERS: Case[] = [
  ...[
    ['no token', {}, ['header.authorization']],
    ['another scheme', { authorization: 'Basic YTpi' }, ['header.authorization']],
    ['an empty token', { authorization: 'Bearer ' }, ['header.authorization']],
    ['a wrong token', { authorization: `Bearer kvt1_${'A'.repeat(43)}` }, []],
    ['a token of no form', { authorization: 'Bearer hello' }, []],
    ['an endless token', { authorization: `Bearer ${'a'.repeat(5000)}` }, ['header.authorization']],
  ].map(
    ([what, headers, fields]): Case => ({
      what: what as string,
      call: ['POST', '/v1/flavors', { headers: headers as Record<string, string>, body: FLAVOR }],
      status: 401,
      code: 'unauthenticated',
      fields: fields as string[],
    }),
  ),
  {
    what: 'a viewer who creates',
    call: ['POST', '/v1/vms', { as: 'viewer', body: VM }],
    status: 403,
    code: 'forbidden',
    fields: [],
  },
  {
    what: 'an operator who makes flavors',
    call: ['POST', '/v1/flavors', { as: 'operator', body: FLAVOR }],
    status: 403,
    code: 'forbidden',
    fields: [],
  },
  {
    what: 'a wrong body of a stranger',
    call: ['POST', '/v1/flavors', { raw: '{{{' }],
    status: 401,
    code: 'unauthenticated',
    fields: ['header.authorization'],
  },
];
const OBJECTS: Case[] = [
  ...['start', 'stop', 'reboot', 'reset', 'pause', 'resume'].map(
    (verb): Case => ({
      what: `${verb} of no VM`,
      call: ['POST', `/v1/vms/${ID}/${verb}`, { as: 'admin' }],
      status: 404,
      code: 'not_found',
      fields: [],
    }),
  ),
  ...['cordon', 'uncordon', 'revoke', 'sweep'].map(
    (verb): Case => ({
      what: `${verb} of no host`,
      call: ['POST', `/v1/hosts/${ID}/${verb}`, { as: 'admin' }],
      status: 404,
      code: 'not_found',
      fields: [],
    }),
  ),
  ...['cancel', 'resume', 'unwind'].map(
    (verb): Case => ({
      what: `${verb} of no operation`,
      call: ['POST', `/v1/operations/${ID}/${verb}`, { as: 'admin' }],
      status: 404,
      code: 'not_found',
      fields: [],
    }),
  ),
  {
    what: 'a leftover that there is not',
    call: ['DELETE', `/v1/leftovers/${ID}`, { as: 'admin' }],
    status: 404,
    code: 'not_found',
    fields: [],
  },
  ...[
    'vms',
    'hosts',
    'images',
    'flavors',
    'projects',
    'operations',
    'placements',
    'networks',
    'ports',
    'security-groups',
    'floating-ranges',
    'floating-addresses',
    'vm-groups',
    'operations/watch',
  ].map(
    (list): Case => ({
      what: `none of ${list}`,
      call: ['GET', list === 'operations/watch' ? `/v1/operations/${ID}/watch` : `/v1/${list}/${ID}`, { as: 'admin' }],
      status: 404,
      code: 'not_found',
      fields: [],
    }),
  ),
];

const UPDATE = `/v1/vms/${ID}`;
const UPDATES: Case[] = [
  ...(
    [
      ['no vCPU', { vcpuCount: 0 }, 'body.vcpuCount'],
      ['a part of a vCPU', { vcpuCount: 1.5 }, 'body.vcpuCount'],
      ['memory of no whole MiB', { memoryBytes: 2 ** 30 + 1 }, 'body.memoryBytes'],
      ['less than no disk', { rootDiskBytes: -1 }, 'body.rootDiskBytes'],
      ['a field that there is not', { cpus: 4 }, 'body.cpus'],
      ['a part of hardware that there is not', { hardware: { floppies: [] } }, 'body.hardware.floppies'],
      ['a part that is no object', { hardware: { devices: 7 } }, 'body.hardware.devices'],
      ['a name of no form', { name: 'Web 1' }, 'body.name'],
      ['words for onlyLive', { onlyLive: 'yes' }, 'body.onlyLive'],
      ['an accelerator of no kind', { accelerator: 'xen' }, 'body.accelerator'],
    ] as const
  ).map(
    ([what, body, field]): Case => ({
      what,
      call: ['PATCH', UPDATE, { as: 'admin', body }],
      status: 400,
      code: 'invalid_request',
      fields: [field],
    }),
  ),
  {
    what: 'a dry run of no kind',
    call: ['PATCH', `${UPDATE}?dryRun=maybe`, { as: 'admin', body: {} }],
    status: 400,
    code: 'invalid_request',
    fields: ['query.dryRun'],
  },
  ...['', '?dryRun=plan'].map(
    (query): Case => ({
      what: `an update of no VM ${query}`,
      call: ['PATCH', `${UPDATE}${query}`, { as: 'admin', body: { vcpuCount: 2 } }],
      status: 404,
      code: 'not_found',
      fields: [],
    }),
  ),
  {
    what: 'a viewer who changes',
    call: ['PATCH', UPDATE, { as: 'viewer', body: { vcpuCount: 2 } }],
    status: 403,
    code: 'forbidden',
    fields: [],
  },
];

let site: Site;
let before: Record<string, string>;
beforeAll(async () => {
  site = await openSite();
  before = await site.contents();
});
afterAll(() => site.close());

describe.each([
  ['bodies', BODIES],
  ['processors', CPUS],
  ['devices', DEVICES],
  ['networks', NETWORKS],
  ['numbers', NUMBERS],
  ['names', NAMES],
  ['addresses', ADDRESSES],
  ['headers', HEADERS],
  ['callers', CALLERS],
  ['objects', OBJECTS],
  ['updates', UPDATES],
])('bad %s', (_kind, cases) => {
  it.each(cases)(
    '$what: $status $code, names the field, and changes nothing',
    async ({ call, status, code, fields }) => {
      const answer = await site.ask(...call);
      expect(answer).toMatchObject({ status, headers: { 'content-type': 'application/problem+json; charset=utf-8' } });
      expect(answer.body).toMatchObject({ status, code, type: `/v1/errors/${code}` });
      expect(answer.body.requestId).toBe(answer.headers['x-request-id']);
      const named = (answer.body.errors ?? []).map(({ field }: { field: string }) => field);
      expect([...new Set(named)].sort()).toEqual([...fields].sort());
      expect(await site.contents()).toEqual(before);
    },
  );
});
