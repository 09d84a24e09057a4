/** ECMA-48 section 8.3.117 (SGR). Own codes, because util.styleText asks another stream than ours whether to colour. */
const sgr = (on: number, off: number) => (text: string) => `\u001b[${on}m${text}\u001b[${off}m`;

export const bold = sgr(1, 22);
export const red = sgr(31, 39);
