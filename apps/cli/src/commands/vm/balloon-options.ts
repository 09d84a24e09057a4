import type { Command } from 'commander';
import { parseByteSize } from '../../byte-size.js';
import { given, parseCount } from '../../option-values.js';

export interface BalloonOptions {
  readonly balloon: boolean;
  readonly balloonMinimum?: number;
  readonly balloonShares?: number;
}

export const addBalloonOptions = (command: Command): Command =>
  command
    .option('--balloon-minimum <size>', 'memory it always keeps; default: half of it', parseByteSize)
    .option('--balloon-shares <count>', 'who has fewer gives memory first; default: 1000', parseCount)
    .option('--no-balloon', 'keeps all its memory, whatever the host needs');

/** Not sent at all when nothing was said of it: the server knows the defaults. */
export function balloonOf({ balloon, balloonMinimum: minimumBytes, balloonShares: shares }: BalloonOptions) {
  const said = given({ enabled: balloon ? undefined : false, minimumBytes, shares });
  return Object.keys(said).length === 0 ? undefined : said;
}
