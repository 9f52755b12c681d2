/**
 * A record of the table: one system call. 96 bytes, little-endian, read by the runner (runner/x86-64.S):
 *
 *      0 i64    number of the call
 *      8 i64[6] arguments
 *     56 u32    mask: bit i set = argument i is the offset, in the table, of the value
 *     60 u16    flags (FLAG), u16 at 62: index of the record, for the report of a failure
 *     64 i64    result
 *     72 i64    operand of FLAG.failUnlessEqual and FLAG.jumpIfEqual
 *     80 i64    offset of the record to jump to
 *     88 u32[2] errnos that are tolerated: they jump too
 */
export const RECORD_BYTES = 96;
export const FIELD = {
  number: 0,
  arguments: 8,
  mask: 56,
  flags: 60,
  index: 62,
  result: 64,
  operand: 72,
  jump: 80,
  tolerated: 88,
};
export const FLAG = {
  failIfNegative: 1,
  failUnlessEqual: 2,
  jumpIfNotZero: 4,
  jumpIfEqual: 8,
  compute: 16,
  tryAgain: 32,
};

/** A failing record is written to this descriptor, and its process exits with this code. */
export const REPORT_DESCRIPTOR = 4;
export const FAILURE_EXIT_CODE = 111;
