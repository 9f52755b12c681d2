import type { Architecture } from '../system-call-numbers.js';

/** Where the image is loaded: below 4 GiB, above vm.mmap_min_addr. */
export const LOAD_ADDRESS = 0x400000;

const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
/** The ELF header and two program headers; a multiple of 8. */
export const HEADER_BYTES = ELF_HEADER_BYTES + 2 * PROGRAM_HEADER_BYTES;

const MACHINE: Readonly<Record<Architecture, number>> = { x64: 62, arm64: 183 };
const [PT_LOAD, PT_GNU_STACK] = [1, 0x6474e551];
const [EXECUTE, WRITE, READ] = [1, 2, 4];

const headers = new Map<Architecture, Buffer>();

/**
 * The headers of a static executable that is one segment, readable, writable and executable: the table holds results
 * beside its calls, and a second segment would cost each supervisor a page. The stack is not executable.
 *
 * Source  elf(5)
 */
export function elfHeader(architecture: Architecture, imageBytes: number, memoryBytes = imageBytes): Buffer {
  let header = headers.get(architecture);
  if (!header) {
    header = buildHeader(architecture);
    headers.set(architecture, header);
  }
  header.writeBigUInt64LE(BigInt(imageBytes), ELF_HEADER_BYTES + 32);
  header.writeBigUInt64LE(BigInt(memoryBytes), ELF_HEADER_BYTES + 40);
  return header;
}

function buildHeader(architecture: Architecture): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('\x7fELF', 'latin1');
  header.set([2, 1, 1], 4); // 64 bit, little-endian, version 1
  header.writeUInt16LE(2, 16); // ET_EXEC
  header.writeUInt16LE(MACHINE[architecture], 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(LOAD_ADDRESS + HEADER_BYTES), 24); // entry: the runner
  header.writeBigUInt64LE(BigInt(ELF_HEADER_BYTES), 32);
  header.writeUInt16LE(ELF_HEADER_BYTES, 52);
  header.writeUInt16LE(PROGRAM_HEADER_BYTES, 54);
  header.writeUInt16LE(2, 56);
  const load = ELF_HEADER_BYTES;
  header.writeUInt32LE(PT_LOAD, load);
  header.writeUInt32LE(EXECUTE | WRITE | READ, load + 4);
  header.writeBigUInt64LE(BigInt(LOAD_ADDRESS), load + 16);
  header.writeBigUInt64LE(BigInt(LOAD_ADDRESS), load + 24);
  header.writeBigUInt64LE(0x1000n, load + 48);
  const stack = load + PROGRAM_HEADER_BYTES;
  header.writeUInt32LE(PT_GNU_STACK, stack);
  header.writeUInt32LE(READ | WRITE, stack + 4);
  header.writeBigUInt64LE(16n, stack + 48);
  return header;
}
