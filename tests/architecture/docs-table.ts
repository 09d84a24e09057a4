/** Rows of the first Markdown table of a page, cells without their marks of emphasis and code. */
export function readTable(page: string): readonly (readonly string[])[] {
  const lines = page.split('\n');
  const head = lines.findIndex((line) => /^\| ?---/.test(line));
  const rows = lines.slice(head + 1);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, end === -1 ? rows.length : end).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replace(/^(\*\*|`)(.*)\1$/, '$2')),
  );
}
