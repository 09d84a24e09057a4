import { printable } from './printable.js';

export interface Column<Row> {
  readonly title: string;
  of(row: Row): string | number | boolean | null;
}

/** One fact per line, where a table has one per column. */
export type Field = readonly [title: string, value: string | number | boolean | null];

const GAP = '  ';
const cellText = (value: string | number | boolean | null): string =>
  value === null || value === '' ? '-' : typeof value === 'boolean' ? (value ? 'yes' : 'no') : printable(String(value));

/** Columns as wide as their widest cell; the last one is not padded, so that lines do not end in spaces. */
export function formatTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  head: (text: string) => string,
): string {
  const lines = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ of }) => cellText(of(row))))];
  const widths = columns.map((_column, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  const texts = lines.map((line) =>
    line.map((cell, at) => (at === columns.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join(GAP),
  );
  return texts.map((text, at) => `${at === 0 ? head(text) : text}\n`).join('');
}

export function formatFields(fields: readonly Field[], head: (text: string) => string): string {
  const width = Math.max(...fields.map(([title]) => title.length));
  return fields.map(([title, value]) => `${head(title.padEnd(width))}${GAP}${cellText(value)}\n`).join('');
}
