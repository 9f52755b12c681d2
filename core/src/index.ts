export { type LoadOptions, loadConfiguration } from './configuration/load.js';
export type { Alternative, Configuration, ConfigurationValues } from './configuration/values.js';
export { Containerizer } from './containerizer/containerizer.js';
export type {
  ContainerDetails,
  ContainerEvent,
  ContainerState,
  ContainerSummary,
  CreateOptions,
  LaunchedContainer,
  Timings,
} from './containerizer/types.js';
export { coreErrors } from './errors.js';
export { configurationSchema } from './plugin-host/json-schema.js';
export { checkConfiguration } from './plugin-host/prepare-generation.js';
export { type PluginReport, reportPlugins } from './plugin-host/report.js';
export type { Selection, SkippedAlternative } from './plugin-host/selection.js';
