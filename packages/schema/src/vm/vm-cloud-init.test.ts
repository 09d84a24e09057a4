import { describe, expect, it } from 'vitest';
import { CloudInitRequest } from './vm-cloud-init.schema.js';

/** As ssh-keygen made them, the private halves thrown away. */
const ED25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK+6bw+GGoI4XI7EG0cufyyf/XbW4ss2CF03WuuTvey5';
const ECDSA =
  'ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBMfHEKbArksRnpo+NXWARY+BdSoTuyvxx8Lm9AP60Q6lp8z2dQ59Y2TAOXg7RkT5jZs3Nt6vqtDs188btDBj7rY=';

const isTaken = (key: string): boolean => CloudInitRequest.safeParse({ sshAuthorizedKeys: [key] }).success;

describe('a public SSH key for a guest', () => {
  it.each([
    ['of Ed25519', ED25519],
    ['with a comment', `${ED25519} Zoë's laptop`],
    ['of ECDSA, without its comment', `${ECDSA} `],
  ])('%s is taken', (_what, key) => {
    expect(isTaken(key)).toBe(true);
  });

  it.each([
    ['nothing', ''],
    ['a type that OpenSSH has given up', ED25519.replace('ssh-ed25519', 'ssh-dss')],
    ['a key under the type of another', ED25519.replace('ssh-ed25519', 'ssh-rsa')],
    ['a key that was cut', ED25519.slice(0, -8)],
    ['a key with something behind it', `${ECDSA.slice(0, -1)}AAAA`],
    ['options before it', `command="id" ${ED25519}`],
    ['two lines', `${ED25519}\n${ED25519}`],
    ['a comment with a control character', `${ED25519} \u001b[2J`],
    ['no base64', 'ssh-ed25519 !!!!'],
    ['more than a line may have', `${ED25519} ${'x'.repeat(4096)}`],
  ])('%s is refused', (_what, key) => {
    expect(isTaken(key)).toBe(false);
  });
});
