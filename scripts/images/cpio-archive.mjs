// The format the kernel takes as an initial file system: cpio "newc" (Documentation/driver-api/early-userspace/
// buffer-format.rst). Written here because it is 40 lines, and because every time and number in it can then be fixed, so that
// the same content gives the same bytes.
const MAGIC = '070701';
const MODE = { directory: 0o040755, file: 0o100644, program: 0o100755, link: 0o120777, device: 0o020600 };
const ALIGNMENT = 4;

const padding = (length) => Buffer.alloc((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);
const hex = (value) => value.toString(16).padStart(8, '0');

const encodeEntry = (inode, { name, kind, content = Buffer.alloc(0), device = { major: 0, minor: 0 } }) => {
  const nameBytes = Buffer.from(`${name}\0`);
  const isFinal = name === 'TRAILER!!!';
  const fields = [
    inode,
    isFinal ? 0 : MODE[kind],
    0, // uid
    0, // gid
    1, // nlink
    0, // mtime
    content.length,
    0, // device of the file itself
    0,
    device.major,
    device.minor,
    nameBytes.length,
    0, // checksum, unused in newc
  ];
  const header = Buffer.from(MAGIC + fields.map(hex).join(''));
  return Buffer.concat([
    header,
    nameBytes,
    padding(header.length + nameBytes.length),
    content,
    padding(content.length),
  ]);
};

/** `entries`: { name, kind: 'directory' | 'file' | 'program' | 'link' | 'device', content?, device? }; folders before what is in them. */
export const encodeCpio = (entries) =>
  Buffer.concat(
    [...entries, { name: 'TRAILER!!!', kind: 'file' }].map((entry, index) => encodeEntry(index + 1, entry)),
  );
