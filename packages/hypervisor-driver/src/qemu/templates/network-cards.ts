import type { MachineSpec } from '../../driver.js';
import { NIC_PREFIX, planNic, pluggedNics } from '../devices/device-plan.js';
import { type Ask, askGuestToLetGo, untilGuest } from '../devices/machine-change.js';

const cardsOf = async (ask: Ask): Promise<string[]> =>
  (await ask('qom-list', { path: '/machine/peripheral' })).filter((id) => id.startsWith(NIC_PREFIX));

/** Throws `conflict_state` when the guest does not let go of a card in time. Taps stay open, for plugCards. */
export async function unplugCards(ask: Ask, guestTimeoutMs: number): Promise<void> {
  const cards = await cardsOf(ask);
  for (const id of cards) await askGuestToLetGo(ask, id);
  if (cards.length === 0) return;
  await untilGuest(cards.join(' and '), guestTimeoutMs, async () => (await cardsOf(ask)).length === 0);
}

/** Plugs in what is missing; its tap, if it has one, was given to the process at its start. */
export async function plugCards(ask: Ask, { hardware, attachments }: MachineSpec): Promise<void> {
  const nics = pluggedNics(hardware.devices);
  if (nics.length === 0) return;
  const present = new Set(await cardsOf(ask));
  for (const nic of nics) {
    const { id, device } = planNic(nic, attachments?.taps?.[nic.id]?.mtu ?? null);
    if (!present.has(id)) await ask('device_add', device);
  }
}
