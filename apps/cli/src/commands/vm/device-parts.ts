import { InvalidArgumentError } from 'commander';

/** Of "10GiB,serial=logs": what the device is, and what is said of it, by keys that it may have. */
export function partsOf<Key extends string>(
  text: string,
  keys: readonly Key[],
): [what: string, said: { readonly [Each in Key]?: string }] {
  const [what = '', ...parts] = text.split(',');
  const said: { [Each in Key]?: string } = {};
  for (const part of parts) {
    const at = part.indexOf('=');
    const key = keys.find((known) => known === part.slice(0, at));
    if (at < 1 || key === undefined) throw new InvalidArgumentError(`After the comma go ${keys.join('=, ')}=.`);
    if (said[key] !== undefined) throw new InvalidArgumentError(`${key}= is there twice.`);
    said[key] = part.slice(at + 1);
  }
  return [what, said];
}
