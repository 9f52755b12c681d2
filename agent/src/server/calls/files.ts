/** Calls that read sandboxes. */
import { z } from '@caisson/plugin-sdk';
import { describeEntries, type Entry, listDirectory, readPiece } from '../files/listing.js';
import { defineCall } from './call.js';

const fileInfos = (entries: readonly Entry[]) =>
  describeEntries(entries, ({ mtimeMs, mode }) => ({
    mtime: { nanoseconds: Math.round(mtimeMs) * 1e6 },
    mode,
  }));

const position = z.number().int().nonnegative();

export const fileCalls = [
  defineCall({
    type: 'LIST_FILES',
    summary: 'the entries of a directory below /containers/<id>, the sandbox of a container',
    right: 'read',
    input: z.object({ path: z.string().min(1).max(4096) }),
    handle: async ({ path }, context) => ({ file_infos: fileInfos(await listDirectory(path, context)) }),
  }),
  defineCall({
    type: 'READ_FILE',
    summary: 'a piece of a file of a sandbox, in base64: at most 256 KiB at once',
    right: 'read',
    input: z.object({ path: z.string().min(1).max(4096), offset: position, length: position.optional() }),
    handle: async ({ path, offset, length }, context) => {
      const { size, data } = await readPiece(path, { offset, length }, context);
      return { size, data: data.toString('base64') };
    },
  }),
];
