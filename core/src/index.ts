export {
  type Alternative,
  type Configuration,
  type ConfigurationValues,
  configurationSchema,
  type LoadOptions,
  loadConfiguration,
} from './configuration/configuration.js';
export { Containerizer } from './containerizer/containerizer.js';
export type {
  ContainerDetails,
  ContainerEvent,
  ContainerState,
  ContainerSummary,
  CreateOptions,
  LaunchedContainer,
  Selection,
  Timings,
} from './containerizer/types.js';
export { type PluginReport, reportPlugins } from './plugin-host/report.js';
