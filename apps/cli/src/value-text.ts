import { formatByteSize } from './byte-size.js';

/** A value of whatever shape, in a few words. */
export function valueText(field: string, value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return field.endsWith('Bytes') ? formatByteSize(value) : String(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map((entry) => valueText('', entry)).join(', ');
  const said = Object.entries(value).flatMap(([name, part]) => {
    // A device's id stands beside it, in the name of its field.
    if (name === 'id') return [];
    const text = valueText(name, part);
    return text === null || text === '' ? [] : [`${name} ${text}`];
  });
  return said.join(', ');
}
