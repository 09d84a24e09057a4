import { isDeepStrictEqual } from 'node:util';
import type { VmHardware } from '@kvorum/schema';
import type { VmShape } from './vm-shape.js';

/** One difference between two shapes of a VM. */
export interface ShapeChange {
  /** For people: `hardware.devices.nics[<id>].backend`. */
  readonly field: string;
  /** In the table of effects: `hardware.devices.nics.backend`. */
  readonly row: string;
  /** Null: it was not there. */
  readonly from: unknown;
  /** Null: it is gone. */
  readonly to: unknown;
  /** The shape without this change. */
  readonly revert: (shape: VmShape) => VmShape;
}

const SIZES = ['vcpuCount', 'memoryBytes', 'balloon'] as const;
type Devices = VmHardware['devices'];
type ListName = 'dataDisks' | 'cdroms' | 'nics';
/** What an entry of each list is known by, as long as it lives. */
const LISTS: readonly { name: ListName; key: string }[] = [
  { name: 'dataDisks', key: 'id' },
  { name: 'cdroms', key: 'name' },
  { name: 'nics', key: 'id' },
];

type Fields = Readonly<Record<string, unknown>>;

/** Every difference, one by one, so that each can be judged and taken back on its own. Pure. */
export function diffShapes(before: VmShape, after: VmShape): ShapeChange[] {
  const sizes = differingNames(before, after, SIZES).map((name) =>
    change(name, name, before[name], after[name], (shape) => ({ ...shape, [name]: before[name] })),
  );
  const parts = (Object.keys(after.hardware) as (keyof VmHardware)[])
    .filter((part) => part !== 'devices' && part !== 'machineType')
    .flatMap((part) => diffPart(before, after, part));
  const machineType = diffMachineType(before, after);
  const devices = diffDevices(before.hardware.devices, after.hardware.devices);
  return [...sizes, ...parts, ...machineType, ...devices, ...diffCloudInit(before, after)];
}

const change = (
  field: string,
  row: string,
  from: unknown,
  to: unknown,
  revert: ShapeChange['revert'],
): ShapeChange => ({ field, row, from: from ?? null, to: to ?? null, revert });

const differingNames = <Name extends string>(before: object, after: object, names: readonly Name[]): Name[] =>
  names.filter((name) => !isDeepStrictEqual((before as Fields)[name], (after as Fields)[name]));

type Part = Exclude<keyof VmHardware, 'devices' | 'machineType'>;

function diffMachineType({ hardware: before }: VmShape, { hardware: after }: VmShape): ShapeChange[] {
  const field = 'hardware.machineType';
  if (before.machineType === after.machineType) return [];
  return [
    change(field, field, before.machineType, after.machineType, (shape) => ({
      ...shape,
      hardware: { ...shape.hardware, machineType: before.machineType },
    })),
  ];
}

/** User data is told of by the id under which it is kept. */
function diffCloudInit({ cloudInit: before }: VmShape, { cloudInit: after }: VmShape): ShapeChange[] {
  if (before === null || after === null) {
    if (before === after) return [];
    return [change('cloudInit', 'cloudInit', before, after, (shape) => ({ ...shape, cloudInit: before }))];
  }
  const names = { hostname: 'hostname', sshAuthorizedKeys: 'sshAuthorizedKeys', userDataId: 'userData' } as const;
  return differingNames(before, after, ['hostname', 'sshAuthorizedKeys', 'userDataId'] as const).map((name) => {
    const field = `cloudInit.${names[name]}`;
    return change(field, field, before[name], after[name], (shape) => ({
      ...shape,
      cloudInit: shape.cloudInit && { ...shape.cloudInit, [name]: before[name] },
    }));
  });
}

function diffPart(before: VmShape, after: VmShape, part: Part): ShapeChange[] {
  const [old, young]: [Fields, Fields] = [before.hardware[part], after.hardware[part]];
  const names = [...new Set([...Object.keys(old), ...Object.keys(young)])];
  return differingNames(old, young, names).map((name) => {
    const field = `hardware.${part}.${name}`;
    return change(field, field, old[name], young[name], (shape) => ({
      ...shape,
      hardware: { ...shape.hardware, [part]: { ...shape.hardware[part], [name]: old[name] } },
    }));
  });
}

function diffDevices(before: Devices, after: Devices): ShapeChange[] {
  const withDevices = (shape: VmShape, devices: Partial<Devices>): VmShape => ({
    ...shape,
    hardware: { ...shape.hardware, devices: { ...shape.hardware.devices, ...devices } },
  });
  const limits = differingNames(before, after, ['maxVcpuCount', 'maxMemoryBytes'] as const).map((name) => {
    const field = `hardware.devices.${name}`;
    return change(field, field, before[name], after[name], (shape) => withDevices(shape, { [name]: before[name] }));
  });
  const root = differingNames(before.rootDisk, after.rootDisk, ['sizeBytes', 'throttle', 'poolId'] as const).map(
    (name) => {
      const field = `hardware.devices.rootDisk.${name}`;
      return change(field, field, before.rootDisk[name], after.rootDisk[name], (shape) =>
        withDevices(shape, { rootDisk: { ...shape.hardware.devices.rootDisk, [name]: before.rootDisk[name] } }),
      );
    },
  );
  const lists = LISTS.flatMap(({ name, key }) => {
    const replaceList = (shape: VmShape, edit: (list: readonly Fields[]) => readonly Fields[]): VmShape =>
      withDevices(shape, { [name]: edit(shape.hardware.devices[name]) });
    return diffList(name, key, before[name], after[name], replaceList);
  });
  return [...limits, ...root, ...lists];
}

function diffList(
  name: ListName,
  key: string,
  before: readonly Fields[],
  after: readonly Fields[],
  edit: (shape: VmShape, by: (list: readonly Fields[]) => readonly Fields[]) => VmShape,
): ShapeChange[] {
  const row = `hardware.devices.${name}`;
  const find = (list: readonly Fields[], entry: Fields) => list.find((other) => other[key] === entry[key]);
  const removed = before
    .filter((entry) => find(after, entry) === undefined)
    .map((entry) =>
      change(`${row}[${entry[key]}]`, row, entry, null, (shape) => edit(shape, (list) => [...list, entry])),
    );
  const added = after
    .filter((entry) => find(before, entry) === undefined)
    .map((entry) =>
      change(`${row}[${entry[key]}]`, row, null, entry, (shape) =>
        edit(shape, (list) => list.filter((other) => other[key] !== entry[key])),
      ),
    );
  const changed = after.flatMap((entry) => {
    const old = find(before, entry);
    if (old === undefined) return [];
    return differingNames(old, entry, Object.keys(entry))
      .filter((field) => field !== 'imageSha256')
      .map((field) => {
        // The digest belongs to the image: they go together.
        const with_ =
          field === 'imageId' ? { imageId: old['imageId'], imageSha256: old['imageSha256'] } : { [field]: old[field] };
        const back = (other: Fields): Fields => (other[key] === entry[key] ? { ...other, ...with_ } : other);
        return change(`${row}[${entry[key]}].${field}`, `${row}.${field}`, old[field], entry[field], (shape) =>
          edit(shape, (list) => list.map(back)),
        );
      });
  });
  return [...removed, ...added, ...changed];
}
