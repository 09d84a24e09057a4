import { describe, expect, it } from 'vitest';
import { VmSpec } from '../agent-wire.js';
import { PLAIN_HARDWARE, VmHardware } from './vm-hardware.schema.js';

describe('the hardware of a VM', () => {
  it('crosses the wire as it is', () => {
    const bytes = VmSpec.encode({ ...VmSpec.create(), hardware: PLAIN_HARDWARE }).finish();
    expect(VmHardware.parse(VmSpec.decode(bytes).hardware)).toEqual(PLAIN_HARDWARE);
  });

  it('is a plain machine where nothing was said', () => {
    expect(VmHardware.parse({})).toEqual(PLAIN_HARDWARE);
  });

  it('refuses a part it does not know', () => {
    expect(VmHardware.safeParse({ quantum: {} }).success).toBe(false);
  });
});
