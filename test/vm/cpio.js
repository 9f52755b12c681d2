/**
 * A cpio archive in the format "newc", which is what the kernel unpacks as an initramfs; the program cpio is on few
 * machines. Kernel: Documentation/driver-api/early-userspace/buffer-format.rst.
 */
export function cpioArchive(entries) {
  return Buffer.concat([...entries, { path: 'TRAILER!!!' }].map(entryBytes));
}

function entryBytes({ path, mode = 0, content = Buffer.alloc(0) }, at) {
  const name = Buffer.from(`${path}\0`);
  const fields = { inode: at + 1, mode, uid: 0, gid: 0, links: 1, mtime: 0, size: content.length };
  const device = [0, 0, 0, 0];
  const checksum = 0; // of newc's sibling, crc
  const numbers = [...Object.values(fields), ...device, name.length, checksum];
  const header = `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(header), name])), padded(content)]);
}

/** Header with name, and content, end at multiples of four. */
const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
