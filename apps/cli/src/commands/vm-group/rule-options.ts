import type { CreateVmGroupBody } from '@kvorum/client';
import { type Command, InvalidArgumentError } from 'commander';
import { collectText } from '../../option-values.js';
import { usageError } from '../../usage-error.js';

type Rule = CreateVmGroupBody['rules'][number];

export interface RuleOptions {
  readonly rule?: readonly string[];
}

const RULE = /^(affinity|anti-affinity|spread):(host|rack|zone)(?::(hard|soft))?(?::([1-9][0-9]{0,3}))?$/;

const collectRule = (text: string, texts?: readonly string[]): readonly string[] => {
  const [, kind, , , skewMax] = RULE.exec(text) ?? [];
  if (kind === undefined || (skewMax !== undefined && kind !== 'spread')) {
    throw new InvalidArgumentError(
      'Give KIND:LEVEL[:STRENGTH], such as anti-affinity:host or affinity:zone:soft; of spread also :SKEW, as in spread:rack:2.',
    );
  }
  return collectText(text, texts);
};

export const addRuleOptions = (command: Command): Command =>
  command.option(
    '--rule <rule>',
    'KIND:LEVEL[:STRENGTH][:SKEW]: affinity, anti-affinity or spread; host, rack or zone; hard (default) or soft; ' +
      'of spread, by how many VMs domains may differ. May be given several times',
    collectRule,
  );

/** The rules that the options say; undefined: they say nothing. */
export const rulesOf = ({ rule }: RuleOptions): Rule[] | undefined => rule?.map(ruleOf);

export function requireRules(options: RuleOptions): Rule[] {
  const rules = rulesOf(options);
  if (rules === undefined)
    throw usageError('a VM group has at least one rule', 'Give --rule, such as anti-affinity:host.');
  return rules;
}

function ruleOf(text: string): Rule {
  const [, kind, level, strength = 'hard', skewMax] = RULE.exec(text) ?? [];
  return {
    kind: kind as Rule['kind'],
    level: level as Rule['level'],
    strength: strength as NonNullable<Rule['strength']>,
    ...(skewMax === undefined ? {} : { skewMax: Number(skewMax) }),
  };
}
