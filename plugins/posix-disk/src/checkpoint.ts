import { z } from '@caisson/plugin-sdk';

const CheckpointSchema = z.object({
  /** How the filesystem knows the sandbox; absent: by du. */
  account: z
    .discriminatedUnion('kind', [
      z.object({ kind: z.literal('btrfs'), subvolume: z.number().int().positive() }),
      z.object({ kind: z.literal('project'), project: z.number().int().positive() }),
    ])
    .optional(),
  /** It takes du long: after a restart nobody need find that out again. */
  slow: z.boolean().optional(),
});

/** What survives a restart of one container; its quotas do with its resources, which the core keeps. */
export type Checkpoint = z.infer<typeof CheckpointSchema>;

/** Empty for what this isolator didn't write. */
export const readCheckpoint = (value: unknown): Checkpoint => CheckpointSchema.safeParse(value).data ?? {};
