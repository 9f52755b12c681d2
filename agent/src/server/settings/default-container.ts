import { readFileSync } from 'node:fs';
import { type ContainerConfig, messageOf } from '@caisson/plugin-sdk';
import { ContainerInfoSchema, infoOf } from '../calls/launch-message.js';
import { apiErrors } from '../errors.js';

const refused = (problem: string) => apiErrors.SETTING_INVALID('default_container_info', problem);

/**
 * The ContainerInfo of outermost containers that bring none: JSON, or a file that holds it (`file:///path`, `/path`).
 *
 * @throws SETTING_INVALID
 */
export function defaultContainerOf(text: string | undefined): Partial<ContainerConfig> {
  if (text === undefined) return {};
  const result = ContainerInfoSchema.safeParse(jsonOf(text));
  if (!result.success) {
    const [issue] = result.error.issues;
    throw refused(`${issue?.path.join('.')}: ${issue?.message}`);
  }
  try {
    return infoOf(result.data);
  } catch (error) {
    throw refused(messageOf(error));
  }
}

function jsonOf(text: string): unknown {
  const [, path] = /^(?:file:\/\/)?(\/.*)$/s.exec(text) ?? [];
  try {
    return JSON.parse(path === undefined ? text : readFileSync(path, 'utf8'));
  } catch (error) {
    throw refused(messageOf(error));
  }
}
