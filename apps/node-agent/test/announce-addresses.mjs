// Runs on a host: announces addresses on an interface, as the agent does.
import { announceAddresses } from '@kvorum/hypervisor-driver';

const [, , interfaceName, ...addresses] = process.argv;
await announceAddresses(interfaceName, addresses);
