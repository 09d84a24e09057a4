import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { GIB, MIB } from '../limits.js';
import { CreateVmRequest } from './create-vm.schema.js';
import { UpdateVmRequest } from './vm-change.schema.js';
import { CloudInitChange } from './vm-cloud-init.schema.js';
import { fieldEffectOf, type RunningMachine, VM_FIELD_EFFECTS } from './vm-field-effects.js';
import { VmHardware } from './vm-hardware.schema.js';

/** What lies beneath defaults, optional and nullable. */
function bare(shape: z.ZodType): z.ZodType {
  const { def } = shape as unknown as { def: { innerType?: z.ZodType } };
  return def.innerType === undefined ? shape : bare(def.innerType);
}

/** Every field that can be changed: fields of devices one by one, of other parts as wholes. */
function fieldsOf(shape: z.ZodType, path: string, depth: number): string[] {
  const inner = bare(shape);
  if (inner instanceof z.ZodObject && depth > 0) {
    return Object.entries(inner.shape).flatMap(([name, field]) =>
      fieldsOf(field as z.ZodType, `${path}.${name}`, depth - 1),
    );
  }
  if (inner instanceof z.ZodArray && depth > 0) {
    const element = bare(inner.element as z.ZodType);
    return element instanceof z.ZodObject ? [path, ...fieldsOf(element, path, 1)] : [path];
  }
  return [path];
}

const partsOf = (): string[] =>
  Object.entries(VmHardware.shape).flatMap(([part, shape]) =>
    fieldsOf(shape as z.ZodType, `hardware.${part}`, part === 'devices' ? 2 : 1),
  );

const machine = (changes: Partial<RunningMachine> & { max?: number; maxMemory?: number } = {}): RunningMachine => ({
  accelerator: 'kvm',
  bootMemoryBytes: GIB,
  hardware: VmHardware.parse({
    devices: { maxVcpuCount: changes.max ?? 8, maxMemoryBytes: changes.maxMemory ?? 4 * GIB },
  }),
  ...changes,
});

const fixed = (hardware: z.input<typeof VmHardware>): RunningMachine =>
  machine({ hardware: VmHardware.parse(hardware) });

describe('the table of what changing a field does', () => {
  const listed = VM_FIELD_EFFECTS.map(({ field }) => field);

  it('has every field of VmHardware', () => {
    expect(partsOf().filter((field) => !listed.includes(field))).toEqual([]);
  });

  it('has every field of the requests that make and change a VM', () => {
    const own = ['hardware', 'onlyLive'];
    const fields = [...Object.keys(CreateVmRequest.shape), ...Object.keys(UpdateVmRequest.shape)];
    expect(fields.filter((field) => !own.includes(field) && !listed.includes(field))).toEqual([]);
  });

  it('names no field that does not exist, and none twice', () => {
    const known = [
      ...partsOf(),
      ...fieldsOf(CloudInitChange, 'cloudInit', 1),
      ...Object.keys(CreateVmRequest.shape),
      ...Object.keys(UpdateVmRequest.shape),
    ];
    expect(listed.filter((field) => !known.includes(field))).toEqual([]);
    expect(new Set(listed).size).toBe(listed.length);
  });

  it('says what to do instead of what cannot be changed', () => {
    for (const { field, note } of VM_FIELD_EFFECTS) expect(note, field).toMatch(/\.$/);
  });

  it.each<[field: string, from: unknown, to: unknown, machine: RunningMachine, obstacle: RegExp | null]>([
    ['vcpuCount', 1, 8, machine(), null],
    ['vcpuCount', 1, 8, machine({ accelerator: 'tcg' }), null],
    ['vcpuCount', 1, 9, machine(), /room for 8/],
    ['vcpuCount', 1, 2, machine({ hardware: VmHardware.parse({}) }), /maxVcpuCount/],
    ['vcpuCount', 1, 2, fixed({ cpuPolicy: { policy: 'dedicated' } }), /dedicated CPUs/],
    ['vcpuCount', 2, 1, fixed({ cpu: { topology: { sockets: 1, cores: 2, threads: 1 } } }), /topology/],
    ['vcpuCount', 2, 3, fixed({ memory: { numaNodeCount: 2 } }), /NUMA nodes/],
    ['vcpuCount', 1, 2, fixed({ memory: { isLocked: true }, devices: { maxVcpuCount: 2 } }), null],
    ['vcpuCount', 2, 1, machine(), null],
    ['vcpuCount', 2, 1, machine({ accelerator: 'tcg' }), /emulation/],
    ['memoryBytes', GIB, 4 * GIB, machine(), null],
    ['memoryBytes', 3 * GIB, 2 * GIB, machine(), null],
    ['memoryBytes', GIB, 4 * GIB + MIB, machine(), /room for/],
    ['memoryBytes', 2 * GIB, GIB - MIB, machine(), /cannot be taken away/],
    ['memoryBytes', GIB, GIB + MIB, machine(), /2 MiB/],
    ['memoryBytes', GIB, 2 * GIB, machine({ hardware: VmHardware.parse({}) }), /maxMemoryBytes/],
    ['memoryBytes', GIB, 2 * GIB, fixed({ cpuPolicy: { policy: 'dedicated' } }), /dedicated CPUs/],
    ['memoryBytes', GIB, 2 * GIB, fixed({ memory: { hugePageBytes: 2 * MIB } }), /huge pages/],
    ['memoryBytes', GIB, 2 * GIB, fixed({ memory: { isLocked: true } }), /locked/],
    ['memoryBytes', GIB, 2 * GIB, fixed({ memory: { isPreallocated: true } }), /preallocated/],
    ['memoryBytes', GIB, 2 * GIB, fixed({ memory: { numaNodeCount: 2 } }), /NUMA nodes/],
  ])('%s from %s to %s', (field, from, to, running, obstacle) => {
    const found = fieldEffectOf(field).obstacle?.(from, to, running) ?? null;
    if (obstacle === null) expect(found).toBeNull();
    else expect(found).toMatch(obstacle);
  });

  it.each<[room: 'maxVcpuCount' | 'maxMemoryBytes', hardware: z.input<typeof VmHardware>]>([
    ['maxVcpuCount', { cpuPolicy: { policy: 'dedicated' } }],
    ['maxVcpuCount', { cpu: { topology: { sockets: 1, cores: 2, threads: 1 } } }],
    ['maxVcpuCount', { memory: { numaNodeCount: 2 } }],
    ['maxMemoryBytes', { cpuPolicy: { policy: 'dedicated' } }],
    ['maxMemoryBytes', { memory: { hugePageBytes: 2 * MIB } }],
    ['maxMemoryBytes', { memory: { isLocked: true } }],
    ['maxMemoryBytes', { memory: { isPreallocated: true } }],
    ['maxMemoryBytes', { memory: { numaNodeCount: 2 } }],
  ])('no machine has %s and also %j, which fixes that from the start', (room, hardware) => {
    const most = room === 'maxVcpuCount' ? 8 : 8 * GIB;
    const { error } = VmHardware.safeParse({ ...hardware, devices: { [room]: most } });
    expect(error?.issues.map(({ path }) => path.join('.'))).toEqual([`devices.${room}`]);
    expect(VmHardware.safeParse(hardware).success).toBe(true);
  });
});
