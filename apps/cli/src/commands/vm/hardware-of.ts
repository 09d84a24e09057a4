import type { CreateVmBody } from '@kvorum/client';

type Hardware = NonNullable<CreateVmBody['hardware']>;

/** The parts that options spoke of; undefined: none did. Each part comes from one group of options. */
export function hardwareOf(...parts: (Hardware | undefined)[]): Hardware | undefined {
  const given = parts.filter((part) => part !== undefined);
  return given.length === 0 ? undefined : Object.assign({}, ...given);
}
