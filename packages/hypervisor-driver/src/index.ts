export { decodeCpuMask, threadCpus } from './cpu/affinity.js';
export { formatCpuList, parseCpuList } from './cpu/cpu-list.js';
export * from './driver.js';
export { FakeDriver } from './fake/fake-driver.js';
export { FakeMachine } from './fake/fake-machine.js';
export { type KvmFacts, proveKvm } from './kvm/prove-kvm.js';
export { openQemuDriver } from './qemu/qemu-driver.js';
export { QEMU_OPTIONS, type QemuOptions } from './qemu/qemu-options.js';
export { RUN_FOLDER_BYTES_MAX } from './qemu/run-folder.js';
