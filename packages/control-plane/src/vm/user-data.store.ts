import type { Database, Tx } from '../database/database.js';

/** User data as it is kept: sealed, and never changed. Another text gets another id. */
export interface NewUserData {
  readonly id: string;
  readonly vmId: string;
  readonly sealed: Buffer;
}

/** What is new with each VM; null: nothing. */
interface Wanting {
  readonly cloudInit: { readonly newUserData: NewUserData | null };
}

/** The VMs' rows must be there already. */
export async function insertUserData(tx: Tx, vms: readonly Wanting[]): Promise<void> {
  for (const { cloudInit } of vms) {
    const { newUserData: row } = cloudInit;
    if (row === null) continue;
    await tx.$executeRaw`
      INSERT INTO vm_user_data (id, vm_id, sealed) VALUES (${row.id}::uuid, ${row.vmId}::uuid, ${row.sealed}::bytea)`;
  }
}

/** Null: there is none of this id. */
export async function findUserData(database: Database | Tx, vmId: string, id: string): Promise<Uint8Array | null> {
  const [row] = await database.$queryRaw<{ sealed: Uint8Array }[]>`
    SELECT sealed FROM vm_user_data WHERE id = ${id}::uuid AND vm_id = ${vmId}::uuid`;
  return row?.sealed ?? null;
}

interface Named {
  readonly cloudInit: { readonly userDataId: string | null } | null;
}

/** Removes what none of the shapes of the VM names. The caller's operation owns the VM. */
export async function keepUserData(tx: Tx, vmId: string, shapes: readonly Named[]): Promise<void> {
  const kept = shapes.flatMap(({ cloudInit }) => cloudInit?.userDataId ?? []);
  await tx.$executeRaw`DELETE FROM vm_user_data WHERE vm_id = ${vmId}::uuid AND id <> ALL (${kept}::uuid[])`;
}
