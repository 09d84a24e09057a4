// Runs the test guest and prints its exits as one JSON line. A program of its own: KVM_RUN may block for ever on a
// broken host, and only a process can be ended from outside at any point (SIGKILL interrupts KVM_RUN; a worker thread
// cannot be stopped within a system call). Plain JavaScript, so that it starts the same from sources and from dist.
//
// Reads its plan (test-guest-plan.ts: all numbers and layouts) as JSON from standard input. The kernel frees the VM
// with the process, however it ends; the `finally` blocks free it as well when all goes right.
import { closeSync, openSync, readFileSync } from 'node:fs';
import koffi from 'koffi';

/** @typedef {typeof import('./test-guest-plan.js').TEST_GUEST_PLAN} Plan */

const libc = koffi.load('libc.so.6');
// WHY: Node has neither ioctl nor mmap. SAFE: each size passed below is the size of the memory passed beside it.
const ioctlValue = libc.func('ioctl', 'int', ['int', 'ulong', 'long']);
const ioctlBuffer = libc.func('int ioctl(int fd, ulong request, _Inout_ void *argument)');
const mmap = libc.func('void *mmap(void *address, size_t length, int prot, int flags, int fd, int64_t offset)');
const munmap = libc.func('int munmap(void *address, size_t length)');
const MAP_FAILED = 0xffffffffffffffffn;

/** @param {number} result @param {string} what */
function check(result, what) {
  if (result < 0) throw new Error(`${what}: errno ${koffi.errno()}`);
  return result;
}

/** Maps memory, runs `use` with it and unmaps it. @template T @param {number} bytes @param {number} flags @param {number} fd @param {Plan} plan @param {(memory: DataView, address: bigint) => T} use @returns {T} */
function withMemory(bytes, flags, fd, plan, use) {
  const pointer = mmap(null, bytes, plan.numbers.PROT_READ | plan.numbers.PROT_WRITE, flags, fd, 0);
  if (koffi.address(pointer) === MAP_FAILED) throw new Error(`mmap: errno ${koffi.errno()}`);
  try {
    return use(new DataView(koffi.view(pointer, bytes)), koffi.address(pointer));
  } finally {
    munmap(pointer, bytes);
  }
}

/** @template T @param {number} fd @param {(fd: number) => T} use @returns {T} */
function withFd(fd, use) {
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

/** @param {Plan} plan @param {number} vm @param {bigint} address */
function addMemory(plan, vm, address) {
  const { sizeBytes, offsets } = plan.structs.kvm_userspace_memory_region;
  const region = Buffer.alloc(sizeBytes);
  region.writeBigUInt64LE(BigInt(plan.loadAddress), offsets.guest_phys_addr);
  region.writeBigUInt64LE(BigInt(plan.pageBytes), offsets.memory_size);
  region.writeBigUInt64LE(address, offsets.userspace_addr);
  check(ioctlBuffer(vm, plan.numbers.KVM_SET_USER_MEMORY_REGION, region), 'KVM_SET_USER_MEMORY_REGION');
}

/** Real mode from segment 0, first instruction at the page's start. @param {Plan} plan @param {number} vcpu */
function setRegisters(plan, vcpu) {
  const sregs = Buffer.alloc(plan.structs.kvm_sregs.sizeBytes);
  check(ioctlBuffer(vcpu, plan.numbers.KVM_GET_SREGS, sregs), 'KVM_GET_SREGS');
  sregs.writeBigUInt64LE(0n, plan.structs.kvm_sregs.offsets['cs.base']);
  sregs.writeUInt16LE(0, plan.structs.kvm_sregs.offsets['cs.selector']);
  check(ioctlBuffer(vcpu, plan.numbers.KVM_SET_SREGS, sregs), 'KVM_SET_SREGS');
  const regs = Buffer.alloc(plan.structs.kvm_regs.sizeBytes);
  regs.writeBigUInt64LE(BigInt(plan.loadAddress), plan.structs.kvm_regs.offsets.rip);
  regs.writeBigUInt64LE(BigInt(plan.rflags), plan.structs.kvm_regs.offsets.rflags);
  check(ioctlBuffer(vcpu, plan.numbers.KVM_SET_REGS, regs), 'KVM_SET_REGS');
}

/** @param {Plan} plan @param {number} vcpu @param {DataView} run */
function collectExits(plan, vcpu, run) {
  const exits = [];
  while (exits.length < plan.exitCountMax) {
    check(ioctlValue(vcpu, plan.numbers.KVM_RUN, 0), 'KVM_RUN');
    const reason = run.getUint32(plan.run.exit_reason, true);
    if (reason !== plan.numbers.KVM_EXIT_IO) {
      exits.push({ reason, io: null });
      break;
    }
    const dataOffset = Number(run.getBigUint64(plan.run['io.data_offset'], true));
    exits.push({
      reason,
      io: {
        direction: run.getUint8(plan.run['io.direction']),
        sizeBytes: run.getUint8(plan.run['io.size']),
        port: run.getUint16(plan.run['io.port'], true),
        data: run.getUint8(dataOffset),
      },
    });
  }
  return exits;
}

/** @param {Plan} plan */
function runGuest(plan) {
  const { numbers } = plan;
  return withFd(openSync(plan.device, 'r+'), (kvm) => {
    const runBytes = check(ioctlValue(kvm, numbers.KVM_GET_VCPU_MMAP_SIZE, 0), 'KVM_GET_VCPU_MMAP_SIZE');
    return withFd(check(ioctlValue(kvm, numbers.KVM_CREATE_VM, 0), 'KVM_CREATE_VM'), (vm) =>
      withMemory(plan.pageBytes, numbers.MAP_SHARED | numbers.MAP_ANONYMOUS, -1, plan, (page, address) => {
        for (const [index, byte] of plan.code.entries()) page.setUint8(index, byte);
        page.setUint8(plan.question.offset, plan.question.value);
        addMemory(plan, vm, address);
        return withFd(check(ioctlValue(vm, numbers.KVM_CREATE_VCPU, 0), 'KVM_CREATE_VCPU'), (vcpu) => {
          setRegisters(plan, vcpu);
          const exits = withMemory(runBytes, numbers.MAP_SHARED, vcpu, plan, (run) => collectExits(plan, vcpu, run));
          return { exits, answer: page.getUint8(plan.answerOffset) };
        });
      }),
    );
  });
}

try {
  console.log(JSON.stringify(runGuest(JSON.parse(readFileSync(0, 'utf8')))));
} catch (thrown) {
  console.log(JSON.stringify({ failure: String(thrown) }));
}
