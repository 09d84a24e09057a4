import { z } from 'zod';
import { ProjectId, VmGroupId, VmId } from '../ids.js';
import { VMS_PER_GROUP_MAX } from '../limits.js';
import { ResourceName } from '../names.js';
import { PageQuery } from '../page.schema.js';

export const GROUP_RULE_KINDS = ['affinity', 'anti-affinity', 'spread'] as const;
export type GroupRuleKind = (typeof GROUP_RULE_KINDS)[number];
/** A host, or the label of hosts that says what fails together. */
export const GROUP_RULE_LEVELS = ['host', 'rack', 'zone'] as const;
export type GroupRuleLevel = (typeof GROUP_RULE_LEVELS)[number];
export const GROUP_RULE_STRENGTHS = ['hard', 'soft'] as const;

const VIOLATIONS_MAX = GROUP_RULE_KINDS.length * GROUP_RULE_LEVELS.length;
/** A violation names so many VMs and counts the rest. */
export const VIOLATING_VMS_SHOWN_MAX = 20;

export const VmGroupRule = z
  .strictObject({
    kind: z.enum(GROUP_RULE_KINDS).meta({
      description:
        'affinity: all VMs of the group in one domain; anti-affinity: no two in one; spread: the domains have about as many',
    }),
    level: z
      .enum(GROUP_RULE_LEVELS)
      .meta({ description: 'What a domain is: a host, or all hosts whose label `rack` or `zone` is the same' }),
    strength: z
      .enum(GROUP_RULE_STRENGTHS)
      .default('hard')
      .meta({ description: 'hard: a VM that would break it is refused; soft: hosts that keep it are better' }),
    skewMax: z
      .int()
      .min(1)
      .max(VMS_PER_GROUP_MAX)
      .optional()
      .meta({ description: 'Of spread: how many VMs more than the emptiest a domain may have. Default: 1' }),
  })
  .refine(({ kind, skewMax }) => kind === 'spread' || skewMax === undefined, {
    path: ['skewMax'],
    error: 'goes with kind spread only',
  })
  .meta({ id: 'VmGroupRule' });
export type VmGroupRule = z.infer<typeof VmGroupRule>;

/** From what fails alone to what holds it: one rack is one rack for each host inside it. */
const isWithin = (inner: GroupRuleLevel, outer: GroupRuleLevel): boolean =>
  inner === outer || inner === 'host' || (inner === 'rack' && outer === 'zone');

const Rules = z
  .array(VmGroupRule)
  .min(1)
  .max(VIOLATIONS_MAX)
  .superRefine((rules, context) => {
    const wrong = (index: number, message: string) => context.addIssue({ code: 'custom', path: [index], message });
    for (const [index, rule] of rules.entries()) {
      const before = rules.slice(0, index);
      if (before.some(({ kind, level }) => kind === rule.kind && level === rule.level))
        wrong(index, `is a second rule of kind ${rule.kind} at level ${rule.level}; leave one of them`);
      const opposite = rules.find(({ kind, level, strength }) => {
        if (kind === 'affinity' || rule.kind !== 'affinity' || strength !== 'hard' || rule.strength !== 'hard')
          return false;
        return isWithin(rule.level, level);
      });
      if (opposite !== undefined)
        wrong(index, `keeps VMs in one ${rule.level} that ${opposite.kind} at level ${opposite.level} keeps apart`);
    }
  })
  .meta({ description: 'All of them hold. At most one of a kind at a level' });

const Description = z
  .string()
  .max(255)
  .regex(/^\P{C}*$/u, { error: 'must be one line without control characters' });

export const CreateVmGroupRequest = z
  .strictObject({
    name: ResourceName,
    projectId: ProjectId.optional().meta({ description: "Defaults to the token's project, or to `default`" }),
    description: Description.default(''),
    rules: Rules,
  })
  .meta({ id: 'CreateVmGroupRequest' });
export type CreateVmGroupRequest = z.infer<typeof CreateVmGroupRequest>;

export const UpdateVmGroupRequest = z
  .strictObject({
    name: ResourceName.optional(),
    description: Description.optional(),
    rules: Rules.optional().meta({
      description: 'All its rules from now on. A hard rule that its VMs break where they are now is refused',
    }),
  })
  .meta({ id: 'UpdateVmGroupRequest' });
export type UpdateVmGroupRequest = z.infer<typeof UpdateVmGroupRequest>;

const RuleInForce = z
  .object({
    kind: z.enum(GROUP_RULE_KINDS),
    level: z.enum(GROUP_RULE_LEVELS),
    strength: z.enum(GROUP_RULE_STRENGTHS),
    skewMax: z.int().nullable().meta({ description: 'null: the rule is none of spread' }),
  })
  .meta({ id: 'VmGroupRuleInForce' });

export const VmGroupViolation = z
  .object({
    kind: z.enum(GROUP_RULE_KINDS),
    level: z.enum(GROUP_RULE_LEVELS),
    strength: z.enum(GROUP_RULE_STRENGTHS),
    reason: z.string(),
    vmCount: z.int().meta({ description: 'VMs that are where the rule does not want them' }),
    vms: z
      .array(z.object({ vmId: VmId, vmName: z.string() }))
      .max(VIOLATING_VMS_SHOWN_MAX)
      .meta({ description: 'The first of them, by id' }),
  })
  .meta({ id: 'VmGroupViolation' });
export type VmGroupViolation = z.infer<typeof VmGroupViolation>;

export const VmGroup = z
  .object({
    id: VmGroupId,
    projectId: ProjectId,
    name: ResourceName,
    description: z.string(),
    rules: z.array(RuleInForce),
    vmCount: z.int().meta({ description: 'VMs in it, those that wait for room too' }),
    generation: z.int().meta({ description: 'Counts changes; the ETag of the group' }),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'VmGroup' });
export type VmGroup = z.infer<typeof VmGroup>;

export const VmGroupDetails = VmGroup.extend({
  violations: z.array(VmGroupViolation).max(VIOLATIONS_MAX).meta({
    description:
      'Rules that its VMs break where they are now: soft ones, and hard ones after labels of hosts were changed',
  }),
}).meta({ id: 'VmGroupDetails' });
export type VmGroupDetails = z.infer<typeof VmGroupDetails>;

export const ListVmGroupsQuery = PageQuery.extend({
  projectId: ProjectId.optional(),
  name: ResourceName.optional(),
});
export type ListVmGroupsQuery = z.infer<typeof ListVmGroupsQuery>;
