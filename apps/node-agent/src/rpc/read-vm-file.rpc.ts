import { DomainError } from '@kvorum/schema';
import type { ReadVmFileRequest, ReadVmFileResponse } from '@kvorum/schema/agent-wire';
import { offeredVm } from '../move/offered-vm.js';
import { digestOfPart, PartDigest, runsOf } from '../move/read-part.js';
import { filesOfVm, openVmFile } from '../move/vm-files.js';
import type { AgentServices } from './agent-services.js';
import type { HostPeerIdentity } from './authenticate-caller.js';
import { decodeRequest, ReadVmFile } from './decode-request.js';

const NO_DATA = Buffer.alloc(0);

/** What of the part is not zero, then its digest; the digest alone if the caller has the same. */
export async function* readVmFile(
  { directory, folders }: AgentServices,
  peer: HostPeerIdentity,
  request: ReadVmFileRequest,
): AsyncGenerator<ReadVmFileResponse> {
  const { name, offset, lengthBytes, haveSha256, ...asked } = decodeRequest(ReadVmFile, request);
  const path = filesOfVm(folders, offeredVm(directory, peer, asked)).get(name);
  const file = path === undefined ? null : await openVmFile(path);
  if (file === null) throw new DomainError('not_found', 'the VM has no such file here');
  try {
    const isSame = haveSha256 !== '' && (await digestOfPart(file, offset, lengthBytes)) === haveSha256;
    if (isSame) return yield { offset: 0, data: NO_DATA, sha256: haveSha256 };
    const digest = new PartDigest();
    for await (const run of runsOf(file, offset, lengthBytes)) {
      // Withdrawn or run out in the middle: no more of it.
      offeredVm(directory, peer, asked);
      digest.add(run);
      // gRPC keeps what it was given until it is sent; the buffer is filled anew before that.
      yield { offset: run.offset, data: Buffer.from(run.data), sha256: '' };
    }
    yield { offset: 0, data: NO_DATA, sha256: digest.hex() };
  } finally {
    await file.close();
  }
}
