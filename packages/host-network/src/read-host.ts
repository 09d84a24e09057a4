import { z } from 'zod';
import { linkName } from './object-names.js';
import { type FloatingFacts, OUR_PROTOCOL } from './plan-floating.js';
import type { LinkFacts } from './plan-links.js';
import type { RunCommand } from './run-command.js';

const Links = z.array(
  z.object({
    ifname: z.string(),
    master: z.string().optional(),
    mtu: z.int(),
    flags: z.array(z.string()),
    addr_info: z.array(z.object({ scope: z.string().optional(), local: z.string().optional() })).default([]),
  }),
);
const Entries = z.array(z.object({ mac: z.string(), dst: z.string().optional() }));
const Routes = z.array(z.object({ dst: z.string(), dev: z.string() }));
const Proxies = z.array(z.object({ dst: z.string(), dev: z.string(), protocol: z.string().optional() }));
const Namespaces = z.array(z.object({ name: z.string() }));

/** iproute2 prints nothing, or empty lists, where there is nothing. */
const parse = <Shape extends z.ZodType>(shape: Shape, text: string): z.output<Shape> =>
  shape.parse(text.trim() === '' ? [] : JSON.parse(text));

export async function readLinks(run: RunCommand): Promise<LinkFacts[]> {
  const links = parse(Links, await run(['ip', '-json', 'address', 'show']));
  return links.map(({ ifname, master, mtu, flags, addr_info: addresses }) => ({
    name: ifname,
    master: master ?? null,
    mtu,
    isUp: flags.includes('UP'),
    hasAddress: addresses.some(({ scope }) => scope === 'global'),
  }));
}

/** Addresses of the host itself. */
export async function readAddresses(run: RunCommand): Promise<ReadonlySet<string>> {
  const links = parse(Links, await run(['ip', '-4', '-json', 'address', 'show']));
  return new Set(links.flatMap(({ addr_info: addresses }) => addresses.flatMap(({ local }) => local ?? [])));
}

/** What is ours alone: by its protocol. */
export async function readFloating(run: RunCommand): Promise<FloatingFacts> {
  const routes = parse(Routes, await run(['ip', '-4', '-json', 'route', 'show', 'proto', OUR_PROTOCOL]));
  const proxies = parse(Proxies, await run(['ip', '-4', '-json', 'neigh', 'show', 'proxy']));
  const entryOf = ({ dst, dev }: { dst: string; dev: string }) => ({ address: dst, device: dev });
  return {
    routes: routes.map(entryOf),
    proxies: proxies.filter(({ protocol }) => protocol === OUR_PROTOCOL).map(entryOf),
  };
}

export async function readNamespaces(run: RunCommand): Promise<string[]> {
  return parse(Namespaces, await run(['ip', '-json', 'netns', 'list'])).map(({ name }) => name);
}

/** Where the overlay of the network floods to. */
export async function readPeers(run: RunCommand, networkId: string): Promise<string[]> {
  const text = await run(['bridge', '-json', 'fdb', 'show', 'dev', linkName('vxlan', networkId)]);
  return parse(Entries, text).flatMap(({ mac, dst }) =>
    mac === '00:00:00:00:00:00' && dst !== undefined ? [dst] : [],
  );
}
