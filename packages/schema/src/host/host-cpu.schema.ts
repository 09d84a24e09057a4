import { z } from 'zod';
import { Accelerator } from '../vm/vm.schema.js';
import { CpuModel } from '../vm/vm-cpu.schema.js';
import { X86_64_LEVEL_MAX } from './x86-64-level.js';

/** QEMU 10 knows 154 models, 75 of them versioned. */
export const CPU_MODEL_COUNT_MAX = 512;
/** QEMU 10 knows 390 features. */
export const CPU_FEATURE_COUNT_MAX = 1024;
/** QEMU 10 has 30 versions of q35. */
export const MACHINE_TYPE_COUNT_MAX = 128;

/** A feature by QEMU's name, such as avx512f or lahf-lm. */
export const CpuFeature = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i, { error: 'must be a feature name of QEMU' });

export const HostCpuModel = z
  .object({
    name: CpuModel,
    featureCount: z
      .int()
      .min(0)
      .max(CPU_FEATURE_COUNT_MAX)
      .meta({ description: 'Of two models, the one with more is the newer' }),
  })
  .meta({ id: 'HostCpuModel' });
export type HostCpuModel = z.infer<typeof HostCpuModel>;

/** What the host's QEMU can give guests of the processor, under one accelerator. */
export const HostCpuSupport = z
  .object({
    accelerator: Accelerator,
    models: z
      .array(HostCpuModel)
      .max(CPU_MODEL_COUNT_MAX)
      .meta({ description: '64-bit models with a version, beside host or max, whose features are all there' }),
    features: z
      .array(CpuFeature)
      .max(CPU_FEATURE_COUNT_MAX)
      .meta({ description: 'All that a guest could be given, by the names of QEMU' }),
    level: z
      .int()
      .min(0)
      .max(X86_64_LEVEL_MAX)
      .meta({ description: 'Highest x86-64 level; 3 and 4 with AES; 0: none' }),
    withheldFeatures: z
      .array(CpuFeature)
      .max(CPU_FEATURE_COUNT_MAX)
      .meta({ description: 'Claimed by KVM, yet no guest starts with them here; taken from each' }),
  })
  .meta({ id: 'HostCpuSupport' });
export type HostCpuSupport = z.infer<typeof HostCpuSupport>;
