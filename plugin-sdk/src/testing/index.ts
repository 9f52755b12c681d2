export { describeIsolatorContract, type IsolatorContract } from './contract.js';
export { type ContainerOverrides, fakeContainer, fakePlan, TemporaryHost } from './fake-container.js';
export { type LogLine, ManualClock, MemoryCheckpoints, RecordingLogger } from './fake-services.js';
export type { TestRunner } from './runner.js';
export { StartedIsolator, type StartOptions, type TapInfo } from './started-isolator.js';
export { type TestCommand, TestContainers, type TestProcess, type Watched } from './test-containers.js';
