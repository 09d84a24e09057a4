// Runs in a guest: prints the addresses of a name as the server says, or the code of its refusal.
import { Resolver } from 'node:dns/promises';

const [, , server, name] = process.argv;
const resolver = new Resolver({ timeout: 5000, tries: 3 });
resolver.setServers([server]);
console.log(await resolver.resolve4(name).then(String, (error) => error.code));
