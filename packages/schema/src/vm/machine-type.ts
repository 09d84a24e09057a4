import { z } from 'zod';

/** Versioned q35: "q35" alone means another machine with each release of QEMU. */
const VERSIONED = /^pc-q35-\d{1,3}(\.\d{1,3}){1,2}$/;

export const isMachineType = (text: string): boolean => VERSIONED.test(text);

export const MachineType = z
  .string()
  .regex(VERSIONED, { error: 'must be a versioned q35 machine type such as pc-q35-10.0' });
