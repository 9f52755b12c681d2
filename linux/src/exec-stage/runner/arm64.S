// The runner for arm64: what x86-64.S says, with the registers x19 (table), x20 (record) and w21 (flags).
.macro argument n
  ldr x\n, [x20, #(8 + 8 * \n)]
  tbz w9, #\n, 1f
  ldr x\n, [x19, x\n]
1:
.endm
.globl _start
_start:
  adr x19, table
  mov x20, x19
record:
  ldr w9, [x20, #56]
  argument 0
  argument 1
  argument 2
  argument 3
  argument 4
  argument 5
  ldr w21, [x20, #60]
  tbnz w21, #4, compute
  ldr x8, [x20]
  svc #0
result:
  str x0, [x20, #64]
  tbz w21, #0, 3f
  tbz x0, #63, 3f
  neg w9, w0
  tbz w21, #5, again
  cmp w9, #11
  b.eq record
again:
  ldr w10, [x20, #88]
  cmp w9, w10
  b.eq jump
  ldr w10, [x20, #92]
  cmp w9, w10
  b.eq jump
  b fail
3:ldr x10, [x20, #72]
  cmp x0, x10
  tbz w21, #1, 4f
  b.ne fail
4:tbz w21, #3, 5f
  b.eq jump
5:tbz w21, #2, next
  cbnz x0, jump
next:
  add x20, x20, #96
  b record
jump:
  ldr x20, [x20, #80]
  add x20, x20, x19
  b record
compute:
  and x0, x0, x1
  lsr x0, x0, x2
  add x0, x0, x3
  b result
fail:
  mov x0, #4
  mov x1, x20
  mov x2, #96
  mov x8, #64
  svc #0
  mov x0, #111
  mov x8, #94
  svc #0
.balign 8
table:
