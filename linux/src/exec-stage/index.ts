export * from './call-table.js';
export { addressBehind, Program, type SlotValue, type SlotValues } from './program.js';
export { FAILURE_EXIT_CODE, RECORD_BYTES, REPORT_DESCRIPTOR } from './record.js';
export * from './report.js';
export { FIRST_GIVEN, type HelperOptions, runHelper } from './run-helper.js';
export { runTable, type TableRun } from './run-table.js';
export * from './sealed-image.js';
