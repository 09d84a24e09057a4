/** A line of a hexadecimal dump (bufferlist::hexdump): offset, 16 bytes at the most, and the same as text between bars. */
const DUMPED = /^[0-9a-f]{8} ((?: {1,2}[0-9a-f]{2}){1,16}) *\|.*\|$/;
const HEAD = /^value \(\d+ bytes\) :$/;

/** `rados listomapvals` has no other form than one for people. Pure. */
export function parseOmap(text: string): Map<string, string> {
  const values = new Map<string, string>();
  let key: string | null = null;
  let bytes: number[] = [];
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    if (HEAD.test(lines[index + 1] ?? '')) {
      key = line;
      bytes = [];
      continue;
    }
    const dumped = DUMPED.exec(line)?.[1];
    if (key === null || dumped === undefined) continue;
    bytes.push(
      ...dumped
        .trim()
        .split(/ +/)
        .map((hex) => Number.parseInt(hex, 16)),
    );
    values.set(key, Buffer.from(bytes).toString('utf8'));
  }
  return values;
}
