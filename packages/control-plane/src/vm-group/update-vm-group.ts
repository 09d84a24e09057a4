import {
  DomainError,
  type UpdateVmGroupRequest,
  type VmGroup,
  type VmGroupDetails,
  type VmGroupId,
} from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { requireGeneration } from '../require-generation.js';
import { vmGroupNameTaken } from './create-vm-group.js';
import type { RuleInForce } from './group-rules.js';
import { lockVmGroups, writeVmGroup } from './vm-group.store.js';
import { recordVmGroupChange, rulesInForce, violationsOf, visibleVmGroup, withViolations } from './vm-groups.js';

/**
 * `rules` replaces all that the group has. A hard rule that VMs break where they are now is refused, unless the group has it
 * already; a soft one is accepted, and the answer shows who breaks it. Throws not_found, already_exists,
 * precondition_failed, and conflict_state that names the VMs.
 */
export async function updateVmGroup(
  cp: ControlPlane,
  actor: Actor,
  groupId: VmGroupId,
  request: UpdateVmGroupRequest,
  options: { ifMatch?: number | undefined } = {},
): Promise<VmGroupDetails> {
  return withTransaction(cp.database, async (tx) => {
    const before = visibleVmGroup(actor, (await lockVmGroups(tx, [groupId])).get(groupId) ?? null);
    requireGeneration('VM group', before, options.ifMatch);
    const { name = before.name, description = before.description } = request;
    const rules = request.rules === undefined ? before.rules : rulesInForce(request.rules);
    await requireKept(tx, before, rules);
    if (!(await writeVmGroup(tx, { ...before, name, description, rules, now: cp.clock() }))) {
      throw vmGroupNameTaken(name);
    }
    const group = visibleVmGroup(actor, (await lockVmGroups(tx, [groupId])).get(groupId) ?? null);
    await recordVmGroupChange(tx, actor, group, 'changed');
    return withViolations(tx, group);
  });
}

/** The group is locked: no VM comes to it or moves until this transaction ends. */
async function requireKept(tx: Tx, before: VmGroup, rules: readonly RuleInForce[]): Promise<void> {
  const had = new Set(before.rules.map(keyOf));
  const stricter = rules.filter((rule) => rule.strength === 'hard' && !had.has(keyOf(rule)));
  if (stricter.length === 0) return;
  const violations = await violationsOf(tx, before.id, stricter);
  const [first] = violations;
  if (first === undefined) return;
  const { kind, level, reason, vmCount, vms } = first;
  const names = vms.map(({ vmName }) => vmName).join(', ') + (vmCount > vms.length ? ', …' : '');
  const message = `hard ${kind} at level ${level} is broken by ${names}: ${reason}. Make the rule soft, or take VMs out first`;
  const index = rules.findIndex((rule) => rule.kind === kind && rule.level === level);
  throw new DomainError('conflict_state', message, {
    details: { violations, fields: [{ field: `body.rules.${index}`, message: `is broken by ${names}` }] },
  });
}

const keyOf = ({ kind, level, strength, skewMax }: RuleInForce): string => [kind, level, strength, skewMax].join();
