import { z } from 'zod';

const PORT_MAX = 65_535;
/** A DNS name has at most 253 characters (RFC 1035 section 2.3.4), a bracketed IPv6 address far fewer. */
const ADDRESS_LENGTH_MAX = 260;
const FORM = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})$/;

/** host:port, where the control plane dials an agent. Nothing else gets through: gRPC would also take unix: and dns: names. */
export const HostAddress = z
  .string()
  .max(ADDRESS_LENGTH_MAX)
  .refine(
    (address) => {
      const port = Number(FORM.exec(address)?.[1] ?? 0);
      return port >= 1 && port <= PORT_MAX;
    },
    { error: 'must be host:port' },
  );
