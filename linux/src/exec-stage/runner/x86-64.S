# The runner: walks a table of records of 96 bytes, each a system call (see ../record.ts).
#
#  0 number of the call | 8..55 six arguments | 56 u32 mask: bit i = argument i is the offset of a value in the table
# 60 u32 flags | 64 result | 72 operand | 80 jump: offset of a record | 88, 92 u32 errnos that are tolerated: they jump
#
# flags  1 fail if the result is negative and not tolerated | 2 fail if it differs from the operand
#        4 jump if it is not 0 | 8 jump if it equals the operand
#       32 EAGAIN: make the call again
#       16 no call: result = ((argument 0 & argument 1) >> argument 2) + argument 3
#
# A failing record is written to descriptor 4 and the process exits with 111.
# rbx: the record, r12: the table, ebp: the flags. The kernel keeps all three across a call.
.globl _start
_start:
  lea table(%rip), %r12
  mov %r12, %rbx
record:
  xor %edx, %edx
  sub $48, %rsp
  mov 56(%rbx), %ecx
1:mov 8(%rbx,%rdx,8), %rdi
  bt %edx, %ecx
  jnc 2f
  mov (%r12,%rdi), %rdi
2:mov %rdi, (%rsp,%rdx,8)
  inc %edx
  cmp $6, %edx
  jne 1b
  pop %rdi
  pop %rsi
  pop %rdx
  pop %r10
  pop %r8
  pop %r9
  mov 60(%rbx), %ebp
  test $16, %bpl
  jnz compute
  mov (%rbx), %rax
  syscall
result:
  mov %rax, 64(%rbx)
  test $1, %bpl
  jz 3f
  test %rax, %rax
  jns 3f
  mov %eax, %ecx
  neg %ecx
  test $32, %bpl
  jz again
  cmp $11, %ecx
  je record
again:
  cmp 88(%rbx), %ecx
  je jump
  cmp 92(%rbx), %ecx
  je jump
  jmp fail
3:test $2, %bpl
  jz 4f
  cmp 72(%rbx), %rax
  jne fail
4:test $4, %bpl
  jz 5f
  test %rax, %rax
  jnz jump
5:test $8, %bpl
  jz next
  cmp 72(%rbx), %rax
  je jump
next:
  add $96, %rbx
  jmp record
jump:
  mov 80(%rbx), %rbx
  add %r12, %rbx
  jmp record
compute:
  mov %rdi, %rax
  and %rsi, %rax
  mov %edx, %ecx
  shr %cl, %rax
  add %r10, %rax
  jmp result
fail:
  mov $1, %eax
  mov $4, %edi
  mov %rbx, %rsi
  mov $96, %edx
  syscall
  mov $231, %eax
  mov $111, %edi
  syscall
.balign 8
table:
