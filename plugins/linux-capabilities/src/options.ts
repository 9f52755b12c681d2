import { CAPABILITIES, capabilityNumber } from '@caisson/linux/syscalls';
import { z } from '@caisson/plugin-sdk';

const name = z
  .string()
  .refine(
    (text) => capabilityNumber(text) !== undefined,
    'there is no such capability: names are like NET_ADMIN, without CAP_ (capabilities(7))',
  );

/** A list, or as the flags of Mesos have it: `{"capabilities": ["NET_RAW"]}`, also as text. */
function unwrap(value: unknown): unknown {
  if (typeof value === 'string') return unwrap(parseJson(value));
  const isInfo = typeof value === 'object' && value !== null && Object.keys(value).join() === 'capabilities';
  return isInfo ? (value as { capabilities: unknown }).capabilities : value;
}

function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? null : value;
  } catch {
    return null;
  }
}

const capabilitySet = (flag: string | string[], description: string) =>
  z
    .preprocess(unwrap, z.array(name, { error: 'must be a list such as [NET_RAW, CHOWN]' }).optional())
    .optional()
    .meta({ flag, description, type: 'array', items: { enum: CAPABILITIES } });

export const CapabilitiesOptions = z
  .strictObject({
    effective: capabilitySet(
      ['effective_capabilities', 'allowed_capabilities'],
      'What a container has that asks for no capabilities. Names are like NET_ADMIN, without CAP_; an empty list takes all away. ' +
        'Default: not set, then it has those of the launcher. (Mesos: --effective_capabilities)',
    ),
    bounding: capabilitySet(
      'bounding_capabilities',
      'What no container can ever have more of, whatever it asks for or executes; one that asks for more is refused. Default: not ' +
        'set, then a container may ask for any. (Mesos: --bounding_capabilities)',
    ),
  })
  .superRefine(({ effective = [], bounding }, context) => {
    const beyond = bounding && effective.filter((each) => !bounding.includes(each));
    if (beyond && beyond.length > 0)
      context.addIssue({
        code: 'custom',
        path: ['effective'],
        message: `must be part of \`bounding\`, which lacks ${beyond.join(', ')}`,
      });
  });
export type CapabilitiesOptions = ReturnType<typeof CapabilitiesOptions.parse>;
