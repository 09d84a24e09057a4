import { eventually } from './eventually.js';
import type { Rest } from './rest.js';
import { MIB } from './site.js';

const OPERATION_MS_MAX = 300_000;
/** What may be there at once: enough for steps to meet, little enough for a small machine. */
const COUNT_MAX = { network: 4, port: 30, group: 6, volume: 24, snapshot: 30, vm: 5 } as const;
type Kind = keyof typeof COUNT_MAX;
const KINDS = Object.keys(COUNT_MAX) as Kind[];

/** Answers by which a step is refused, as others got there first. Nothing else is. */
const REFUSALS = new Set([404, 409, 507]);
/** What an operation may fail with for the same reason. */
const FAILURES = new Set(['conflict_state', 'in_use', 'not_found', 'no_capacity', 'stale_generation', 'unavailable']);

/** Another step has made the volume larger meanwhile. */
const isOutgrown = ({ errors }: Readonly<Record<string, unknown>>): boolean =>
  (errors as { message: string }[] | undefined)?.some(({ message }) => /^is below the \d+ bytes/.test(message)) ??
  false;

export interface StepCounts {
  done: number;
  refused: number;
  failed: number;
}

export interface StepSite {
  readonly rest: Rest;
  readonly hostIds: readonly string[];
  /** By host, in the same order. */
  readonly poolIds: readonly string[];
  readonly imageId: string;
  readonly flavorId: string;
}

/** Numbers from 0 to below 1, the same for the same seed: mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Makes and removes what a site has, at random, by several who do not know of each other's steps. */
export class RandomSteps {
  readonly counts: StepCounts = { done: 0, refused: 0, failed: 0 };
  readonly #things = new Map<Kind, string[]>(KINDS.map((kind) => [kind, []]));
  readonly #site: StepSite;
  readonly #random: () => number;
  #number = 0;

  constructor(site: StepSite, random: () => number) {
    this.#site = site;
    this.#random = random;
  }

  /** One step. Throws for an answer that no step may get. */
  async step(): Promise<void> {
    const kind = this.#anyOf(KINDS);
    const things = this.#of(kind);
    const isFull = things.length >= COUNT_MAX[kind];
    if (things.length === 0 || (!isFull && this.#random() < 0.5)) await this.#make(kind);
    else if (isFull || this.#random() < 0.5) await this.#remove(kind, this.#anyOf(things));
    else await this.#change(kind, this.#anyOf(things));
  }

  /** Removes everything, in an order in which nothing is in the way. */
  async removeAll(): Promise<void> {
    // Snapshots go with their volumes: one of a volume in the trash cannot be removed by itself.
    for (const kind of ['vm', 'port', 'group', 'network'] as const) await this.#removeAllOf(kind);
    // Linked clones go before what they rest on; a volume that others rest on is kept until then.
    await eventually('all volumes are purged', OPERATION_MS_MAX, async () => {
      const { body } = await this.#site.rest.expect(200, 'GET', '/v1/volumes?limit=500');
      const volumes = (body['items'] as { id: string; state: string }[]).filter(({ state }) => state !== 'retained');
      const purge = async ({ id, state }: (typeof volumes)[number]): Promise<void> => {
        if (state !== 'trashed') await this.#ask('DELETE', `/v1/volumes/${id}`);
        await this.#ask('POST', `/v1/volumes/${id}/purge`);
      };
      await Promise.all(volumes.map(purge));
      return volumes.length === 0;
    });
  }

  async #removeAllOf(kind: 'vm' | 'port' | 'group' | 'network'): Promise<void> {
    const url = { vm: 'vms', port: 'ports', group: 'security-groups', network: 'networks' }[kind];
    await eventually(`no ${kind} is left`, OPERATION_MS_MAX, async () => {
      const ids = kind === 'port' ? await this.#ports() : await this.#idsAt(`/v1/${url}?limit=500`);
      await Promise.all(ids.map((id) => this.#ask('DELETE', `/v1/${url}/${id}`)));
      return ids.length === 0;
    });
  }

  async #ports(): Promise<string[]> {
    const networks = await this.#idsAt('/v1/networks?limit=500');
    const ports = await Promise.all(networks.map((id) => this.#idsAt(`/v1/networks/${id}/ports?limit=500`)));
    return ports.flat();
  }

  async #idsAt(url: string): Promise<string[]> {
    const { body } = await this.#site.rest.expect(200, 'GET', url);
    return (body['items'] as { id: string; state?: string }[])
      .filter(({ state }) => state !== 'deleted')
      .map(({ id }) => id);
  }

  async #make(kind: Kind): Promise<void> {
    const name = `${kind}-${this.#next()}`;
    const [url, body] = this.#requestFor(kind, name) ?? [];
    if (url === undefined) return;
    const id = await this.#ask('POST', url, body);
    if (id !== null && id !== '') this.#of(kind).push(id);
    if (id === '' && kind === 'snapshot') {
      // Several at one instant have no id of their own in the answer.
      this.#of(kind).push(...(await this.#idsAt(`/v1/volume-snapshots?name=${name}`)));
    }
  }

  #requestFor(kind: Kind, name: string): [string, object] | null {
    const host = this.#random() < 0.5 ? 0 : 1;
    const { hostIds, poolIds, imageId, flavorId } = this.#site;
    const [network, group, volume, snapshot] = (['network', 'group', 'volume', 'snapshot'] as const).map((each) =>
      this.#maybe(each),
    );
    switch (kind) {
      case 'network': {
        const cidr = `10.${20 + (this.#next() % 200)}.0.0/24`;
        return ['/v1/networks', { name, cidr, kind: host === 0 ? 'nat' : 'vxlan' }];
      }
      case 'port':
        if (network === undefined) return null;
        return [`/v1/networks/${network}/ports`, { name, securityGroupIds: group === undefined ? [] : [group] }];
      case 'group':
        return ['/v1/security-groups', { name }];
      case 'volume': {
        if (snapshot !== undefined && host === 0) {
          const mode = this.#random() < 0.5 ? 'linked' : 'full';
          return ['/v1/volumes', { name, from: { kind: 'snapshot', snapshotId: snapshot, mode } }];
        }
        return ['/v1/volumes', { name, poolId: poolIds[host], sizeBytes: 4 * MIB }];
      }
      case 'snapshot':
        return volume === undefined ? null : ['/v1/volume-snapshots', { name, volumeIds: [volume] }];
      case 'vm': {
        const nics = network === undefined ? [] : [{ backend: { kind: 'network', networkId: network } }];
        const dataDisks = this.#random() < 0.5 ? [] : [{ sizeBytes: 4 * MIB, poolId: poolIds[host] }];
        return [
          '/v1/vms',
          { name, imageId, flavorId, hostId: hostIds[host], hardware: { devices: { nics, dataDisks } } },
        ];
      }
    }
  }

  async #change(kind: Kind, id: string): Promise<void> {
    const vmId = this.#maybe('vm');
    const isFirst = this.#random() < 0.5;
    if (kind === 'vm') {
      const verb = isFirst ? 'stop' : 'start';
      await this.#ask('POST', `/v1/vms/${id}/${verb}`, isFirst ? { graceMs: 0 } : undefined);
    } else if (kind === 'volume' && vmId !== undefined && this.#random() < 0.6) {
      await this.#ask('POST', `/v1/volumes/${id}/${isFirst ? 'attach' : 'detach'}`, isFirst ? { vmId } : undefined);
    } else if (kind === 'volume') {
      const sizeBytes = (4 + Math.floor(this.#random() * 8)) * MIB;
      if (isFirst) await this.#ask('PATCH', `/v1/volumes/${id}`, { sizeBytes });
      else await this.#ask('POST', `/v1/volumes/${id}/restore`);
    } else if (kind === 'group') {
      const port = 1 + Math.floor(this.#random() * 60_000);
      const rules = [{ direction: 'ingress', protocol: 'tcp', portMin: port, portMax: port }];
      await this.#ask('PATCH', `/v1/security-groups/${id}`, { rules });
    } else if (kind === 'port') {
      const group = this.#maybe('group');
      await this.#ask('PATCH', `/v1/ports/${id}`, { securityGroupIds: group === undefined ? [] : [group] });
    } else if (kind === 'snapshot') {
      await this.#ask('POST', `/v1/volume-snapshots/${id}/revert`);
    }
  }

  async #remove(kind: Kind, id: string): Promise<void> {
    if (kind === 'volume') {
      await this.#ask('DELETE', `/v1/volumes/${id}`);
      if (this.#random() < 0.7 && (await this.#ask('POST', `/v1/volumes/${id}/purge`)) !== null) this.#forget(kind, id);
      return;
    }
    const url = {
      network: 'networks',
      port: 'ports',
      group: 'security-groups',
      snapshot: 'volume-snapshots',
      vm: 'vms',
    };
    const { rest } = this.#site;
    const gone = await this.#ask('DELETE', `/v1/${url[kind]}/${id}`);
    const isGone =
      gone !== null || (kind !== 'port' && (await rest.send('GET', `/v1/${url[kind]}/${id}`)).status === 404);
    if (isGone) this.#forget(kind, id);
  }

  /** Asks and waits for the end. Returns the id of what it was about, empty if the answer has none; null: it was refused, or failed. */
  async #ask(method: string, url: string, body?: object): Promise<string | null> {
    const answer = await this.#site.rest.send(method, url, body);
    if (REFUSALS.has(answer.status) || isOutgrown(answer.body)) {
      this.counts.refused += 1;
      return null;
    }
    if (answer.status >= 300) throw new Error(`${method} ${url}: ${answer.status} ${JSON.stringify(answer.body)}`);
    const operation = answer.body['operation'] as { id: string } | undefined;
    if (operation === undefined) {
      this.counts.done += 1;
      return String(answer.body['id'] ?? '');
    }
    let seen: Readonly<Record<string, unknown>> = {};
    const end = await eventually(`${method} ${url} ends`, OPERATION_MS_MAX, async () => {
      ({ body: seen } = await this.#site.rest.expect(200, 'GET', `/v1/operations/${operation.id}`));
      return ['succeeded', 'failed', 'cancelled', 'stuck'].includes(String(seen['state'])) ? seen : undefined;
    }).catch((thrown: Error) => {
      throw new Error(`${thrown.message}: ${JSON.stringify(seen)}`, { cause: thrown });
    });
    if (end['state'] === 'succeeded') {
      this.counts.done += 1;
      return String(answer.body['resourceId'] ?? '');
    }
    const error = end['error'] as { code?: string } | null;
    if (end['state'] !== 'failed' || !FAILURES.has(error?.code ?? '')) {
      throw new Error(`${method} ${url}: ${JSON.stringify(end)}`);
    }
    this.counts.failed += 1;
    return null;
  }

  #of(kind: Kind): string[] {
    return this.#things.get(kind) ?? [];
  }
  #forget(kind: Kind, id: string): void {
    const things = this.#of(kind);
    const at = things.indexOf(id);
    if (at >= 0) things.splice(at, 1);
  }
  #maybe(kind: Kind): string | undefined {
    return this.#of(kind).length === 0 ? undefined : this.#anyOf(this.#of(kind));
  }
  #anyOf<Item>(items: readonly Item[]): Item {
    const item = items[Math.floor(this.#random() * items.length)];
    if (item === undefined) throw new TypeError('there is none to choose');
    return item;
  }
  #next(): number {
    this.#number += 1;
    return this.#number;
  }
}
