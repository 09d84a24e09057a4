import { fieldsOf } from '../answer-fields.js';

/** Readings of the answers about devices; null: not the shape that QEMU documents. */

/** The list with each entry read, or null if one of them is nonsense. */
function listOf<Entry>(
  answer: unknown,
  read: (fields: Readonly<Record<string, unknown>>) => Entry | null,
): Entry[] | null {
  if (!Array.isArray(answer)) return null;
  const entries = answer.map((entry: unknown) => read(fieldsOf(entry)));
  return entries.every((entry) => entry !== null) ? entries : null;
}

const FAILURE_LENGTH_MAX = 512;
const isBytes = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const done = (): undefined => undefined;

export const DEVICE_READERS = {
  // qapi/qom.json: ObjectPropertyInfo
  'qom-list': (answer: unknown) => listOf(answer, ({ name }) => (typeof name === 'string' ? name : null)),
  // qapi/block-core.json: BlockDeviceInfo
  'query-named-block-nodes': (answer: unknown) =>
    listOf(answer, ({ 'node-name': name, image }) => {
      const sizeBytes = fieldsOf(image)['virtual-size'];
      return typeof name === 'string' && isBytes(sizeBytes) ? { name, sizeBytes } : null;
    }),
  // qapi/block-core.json: BlockInfo
  'query-block': (answer: unknown) =>
    listOf(answer, ({ qdev, inserted, tray_open: isOpen }) => {
      const node = fieldsOf(inserted)['node-name'];
      return { device: String(qdev ?? ''), node: typeof node === 'string' ? node : null, isOpen: isOpen === true };
    }),
  // qapi/machine.json: MemoryDeviceInfo. Of others than virtio-mem there are none.
  'query-memory-devices': (answer: unknown) =>
    listOf(answer, ({ data }) => {
      const { id, size, 'requested-size': requested, 'max-size': max } = fieldsOf(data);
      const isRead = typeof id === 'string' && isBytes(size) && isBytes(requested) && isBytes(max);
      return isRead ? { id, sizeBytes: size, requestedBytes: requested, maxBytes: max } : null;
    }),
  // qapi/machine.json: HotpluggableCPU
  'query-hotpluggable-cpus': (answer: unknown) =>
    listOf(answer, ({ type, props, 'qom-path': path = null }) => {
      const places = Object.entries(fieldsOf(props)).filter((entry): entry is [string, number] => isBytes(entry[1]));
      const isRead = typeof type === 'string' && (path === null || typeof path === 'string');
      return isRead ? { type, props: Object.fromEntries(places), path } : null;
    }),
  // qapi/job.json: JobInfo. What the figures count is the job's own; of a commit they are bytes.
  'query-jobs': (answer: unknown) =>
    listOf(answer, (fields) => {
      const { id, status, 'current-progress': doneBytes, 'total-progress': totalBytes, error = null } = fields;
      const isRead = typeof id === 'string' && typeof status === 'string' && isBytes(doneBytes) && isBytes(totalBytes);
      const failure = typeof error === 'string' ? error.slice(0, FAILURE_LENGTH_MAX) : null;
      return isRead ? { id, isOver: status === 'concluded', doneBytes, totalBytes, failure } : null;
    }),
  'block-commit': done,
  'job-cancel': done,
  'job-dismiss': done,
  device_add: done,
  device_del: done,
  netdev_del: done,
  'object-add': done,
  'object-del': done,
  'blockdev-add': done,
  'blockdev-del': done,
  transaction: done,
  block_resize: done,
  'blockdev-open-tray': done,
  'blockdev-close-tray': done,
  'blockdev-remove-medium': done,
  'blockdev-insert-medium': done,
};
