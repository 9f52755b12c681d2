/** Container ids: `web.debug` here, `{value: "debug", parent: {value: "web"}}` in the operator API. */
import {
  type ContainerId,
  containerIdErrors,
  nameOf,
  parentOf,
  parseContainerId,
  z,
} from '@caisson/plugin-sdk';

export interface WireId {
  readonly value: string;
  readonly parent?: WireId | undefined;
}

export const WireIdSchema: z.ZodType<WireId> = z.lazy(() =>
  z.object({ value: z.string(), parent: WireIdSchema.optional() }),
);

/** @throws CONTAINER_ID_INVALID, also for a level with a dot in it, which would be two */
export function fromWire({ value, parent }: WireId): ContainerId {
  if (value.includes('.'))
    throw containerIdErrors.CONTAINER_ID_INVALID(value, 'the character "." is not allowed');
  return parseContainerId(parent ? `${fromWire(parent)}.${value}` : value);
}

export function toWire(id: ContainerId): WireId {
  const parent = parentOf(id);
  return parent === undefined ? { value: id } : { value: nameOf(id), parent: toWire(parent) };
}
