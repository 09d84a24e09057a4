/** A set or map of nftables, one element a line; without elements there is no such clause. */
export function renderSet(
  name: string,
  type: string,
  elements: readonly string[],
  what: 'set' | 'map' = 'set',
): string {
  const lines = elements.map((element) => `      ${element},\n`).join('');
  return `  ${what} ${name} {
    type ${type};
${elements.length === 0 ? '' : `    elements = {\n${lines}    }\n`}  }`;
}
