import { z } from 'zod';
import { VmId } from '../ids.js';
import {
  CONSOLE_BACKLOG_BYTES_DEFAULT,
  CONSOLE_BACKLOG_BYTES_MAX,
  FREEZE_MS_DEFAULT,
  FREEZE_MS_MAX,
  FREEZE_MS_MIN,
  GUEST_ARGUMENT_BYTES_MAX,
  GUEST_ARGUMENT_COUNT_MAX,
  GUEST_COMMAND_MS_DEFAULT,
  GUEST_COMMAND_MS_MAX,
  GUEST_INPUT_BYTES_MAX,
} from '../limits.js';

/** serial: bytes of the serial line; vnc: the RFB protocol (RFC 6143). */
export const ConsoleKind = z.enum(['serial', 'vnc']).meta({ id: 'ConsoleKind' });
export type ConsoleKind = z.infer<typeof ConsoleKind>;

export const CreateConsoleTokenRequest = z
  .strictObject({ kind: ConsoleKind })
  .meta({ id: 'CreateConsoleTokenRequest' });
export type CreateConsoleTokenRequest = z.infer<typeof CreateConsoleTokenRequest>;

export const IssuedConsoleToken = z
  .object({
    kind: ConsoleKind,
    token: z.string().meta({ description: 'Shown once, works once; only its hash is kept' }),
    expiresAt: z.iso.datetime().meta({ description: 'Until then the WebSocket must have been opened' }),
    path: z.string().meta({ description: 'Where to open the WebSocket, with the token as its query' }),
  })
  .meta({ id: 'IssuedConsoleToken' });
export type IssuedConsoleToken = z.infer<typeof IssuedConsoleToken>;

export const ConsoleParams = z.object({ vmId: VmId, kind: ConsoleKind });
export const ConnectConsoleQuery = z.object({
  token: z.string().max(128).meta({ description: 'Of POST …/console-tokens' }),
  backlogBytes: z.coerce
    .number()
    .int()
    .min(0)
    .max(CONSOLE_BACKLOG_BYTES_MAX)
    .default(CONSOLE_BACKLOG_BYTES_DEFAULT)
    .meta({ description: 'Serial line: begin with so much of what was printed before' }),
});

/** What C programs take for an argument (execve(2)). */
const Argument = z.string().regex(/^[^\0]*$/, { error: 'must not hold NUL' });
const bytesOf = (text: string): number => new TextEncoder().encode(text).byteLength;

export const RunGuestCommandRequest = z
  .strictObject({
    command: z
      .array(Argument)
      .min(1)
      .max(GUEST_ARGUMENT_COUNT_MAX)
      .refine(([program]) => program !== '', { error: 'must begin with a program' })
      .refine((command) => bytesOf(command.join(' ')) <= GUEST_ARGUMENT_BYTES_MAX, {
        error: `must be ${GUEST_ARGUMENT_BYTES_MAX} bytes at most in all`,
      })
      .meta({ description: 'A program and its arguments, as they are: no shell looks at them' }),
    input: z
      .string()
      .refine((text) => bytesOf(text) <= GUEST_INPUT_BYTES_MAX, {
        error: `must be ${GUEST_INPUT_BYTES_MAX} bytes at most`,
      })
      .default('')
      .meta({ description: 'Given to it on its standard input' }),
    timeoutMs: z.int().min(1).max(GUEST_COMMAND_MS_MAX).default(GUEST_COMMAND_MS_DEFAULT).meta({
      description: 'Then it is killed, as far as the guest can',
    }),
  })
  .meta({ id: 'RunGuestCommandRequest' });
export type RunGuestCommandRequest = z.infer<typeof RunGuestCommandRequest>;

export const GuestCommandResult = z
  .object({
    exitCode: z.int().nullable().meta({ description: 'null: it was ended by a signal, or has not ended' }),
    signal: z.int().nullable(),
    stdout: z.string().meta({ description: 'Untrusted; control characters other than newline and tab removed' }),
    stderr: z.string(),
    isTruncated: z.boolean(),
    hasTimedOut: z.boolean(),
  })
  .meta({ id: 'GuestCommandResult' });
export type GuestCommandResult = z.infer<typeof GuestCommandResult>;

export const FreezeVmRequest = z
  .strictObject({
    durationMs: z.int().min(FREEZE_MS_MIN).max(FREEZE_MS_MAX).default(FREEZE_MS_DEFAULT).meta({
      description: 'Thawed by force after this, whatever else happens',
    }),
  })
  .meta({ id: 'FreezeVmRequest' });

export const FrozenVm = z
  .object({
    freezeId: z.uuid(),
    fileSystemCount: z.int(),
    thawsAt: z.iso.datetime().meta({ description: "By the clock of the VM's host" }),
  })
  .meta({ id: 'FrozenVm' });
export type FrozenVm = z.infer<typeof FrozenVm>;

export const ThawVmRequest = z
  .strictObject({
    freezeId: z.uuid().optional().meta({ description: 'The freeze it is about; without: whichever there is' }),
  })
  .meta({ id: 'ThawVmRequest' });

export const ThawedVm = z
  .object({
    fileSystemCount: z.int().meta({ description: 'How many were frozen until now' }),
    wasUnbroken: z.boolean().meta({
      description: 'The freeze was in force all the time: what was copied meanwhile belongs together',
    }),
  })
  .meta({ id: 'ThawedVm' });
export type ThawedVm = z.infer<typeof ThawedVm>;

/** What the guest's agent says of its network; the guest may forge it. Bounded by the agent of the host, and here again. */
export const GuestInterface = z
  .object({
    name: z.string().max(32),
    macAddress: z.string().max(17).nullable(),
    addresses: z
      .array(z.object({ address: z.union([z.ipv4(), z.ipv6()]), prefixLength: z.int().min(0).max(128) }))
      .max(16),
  })
  .meta({ id: 'GuestInterface' });
export type GuestInterface = z.infer<typeof GuestInterface>;
export const GUEST_INTERFACE_COUNT_MAX = 8;
