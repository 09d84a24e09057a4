import type { CreateSecurityGroupBody, KvorumClient } from '@kvorum/client';
import { type Command, InvalidArgumentError } from 'commander';
import { collectText } from '../../option-values.js';
import { resolveSecurityGroup } from '../../resolve-name.js';
import { usageError } from '../../usage-error.js';

type Rule = NonNullable<CreateSecurityGroupBody['rules']>[number];

export interface RuleOptions {
  readonly allowIn?: readonly string[];
  readonly allowOut?: readonly string[];
  readonly denyAll?: boolean;
}

const TRAFFIC = /^(any|tcp|udp|icmp)(?::([0-9]{1,5})(?:-([0-9]{1,5}))?)?(?:@(.+))?$/;

const collectTraffic = (text: string, texts?: readonly string[]): readonly string[] => {
  if (!TRAFFIC.test(text)) {
    throw new InvalidArgumentError('Give PROTOCOL[:PORTS][@PEER], such as tcp:22, tcp:80-81@192.0.2.0/24 or any@web.');
  }
  return collectText(text, texts);
};

export const addRuleOptions = (command: Command): Command =>
  command
    .option('--allow-in <traffic>', 'PROTOCOL[:PORTS][@PEER]; may be given several times', collectTraffic)
    .option('--allow-out <traffic>', 'the same, for connections from ports of the group', collectTraffic)
    .option('--deny-all', 'no rules: nothing in, nothing out');

/** The rules that the options say, PEER being a range or a group; undefined: they say nothing. */
export async function rulesOf(client: KvorumClient, options: RuleOptions): Promise<Rule[] | undefined> {
  const { allowIn = [], allowOut = [], denyAll = false } = options;
  const isGiven = allowIn.length + allowOut.length > 0;
  if (denyAll && isGiven) throw usageError('--deny-all goes without --allow-in and --allow-out', 'Leave one out.');
  if (!denyAll && !isGiven) return undefined;
  return Promise.all([
    ...allowIn.map((text) => ruleOf(client, 'ingress', text)),
    ...allowOut.map((text) => ruleOf(client, 'egress', text)),
  ]);
}

async function ruleOf(client: KvorumClient, direction: Rule['direction'], text: string): Promise<Rule> {
  const [, protocol, portMin, portMax, peer] = TRAFFIC.exec(text) ?? [];
  return {
    direction,
    protocol: protocol as NonNullable<Rule['protocol']>,
    ...(portMin === undefined ? {} : { portMin: Number(portMin), portMax: Number(portMax ?? portMin) }),
    ...(peer === undefined ? {} : await peerOf(client, peer)),
  };
}

/** Names of groups have no slash, ranges always. */
const peerOf = async (client: KvorumClient, peer: string): Promise<Pick<Rule, 'cidr' | 'peerGroupId'>> =>
  peer.includes('/') ? { cidr: peer } : { peerGroupId: await resolveSecurityGroup(client, peer) };
