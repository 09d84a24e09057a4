import type { Command } from 'commander';
import { parseBitRate } from '../../bit-rate.js';
import { given } from '../../option-values.js';

export interface BandwidthOptions {
  readonly ingress?: number;
  readonly egress?: number;
}

export const addBandwidthOptions = (command: Command): Command =>
  command
    .option('--ingress <rate>', 'how fast it may be sent to, such as 100Mbit; default: not limited', parseBitRate)
    .option('--egress <rate>', 'how fast it may send', parseBitRate);

export const bandwidthOf = ({ ingress, egress }: BandwidthOptions) =>
  given({ ingressBitsPerSecond: ingress, egressBitsPerSecond: egress });
