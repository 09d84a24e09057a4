import { InvalidArgumentError } from 'commander';

export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count)) throw new InvalidArgumentError('Give a whole number.');
  return count;
}

/** Collects an option given several times. */
export const collectText = (text: string, texts: readonly string[] = []): readonly string[] => [...texts, text];

/** `--cpu-topology sockets:cores:threads`. */
export function parseTopology(text: string): { sockets: number; cores: number; threads: number } {
  const [sockets, cores, threads, ...others] = text.split(':').map(parseCount);
  if (sockets === undefined || cores === undefined || threads === undefined || others.length > 0) {
    throw new InvalidArgumentError('Give sockets:cores:threads, such as 2:4:1.');
  }
  return { sockets, cores, threads };
}

/** Collects `--label key=value` given several times. */
export function collectLabel(text: string, labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Give a label as key=value.');
  return { ...labels, [text.slice(0, at)]: text.slice(at + 1) };
}

type Given<Fields> = { [Key in keyof Fields]?: Exclude<Fields[Key], undefined> };

/** The fields that have a value: options that were not given must not be sent at all. */
export const given = <Fields extends object>(fields: Fields): Given<Fields> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Given<Fields>;
