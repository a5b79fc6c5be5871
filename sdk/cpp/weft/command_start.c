// Where a program begins. The C library's own beginning leaves constructors and the end of the
// program to the linker, which then puts both around every export: also around `cabi_realloc`,
// through which the host brings what it answers, so that output was flushed, and lost, in there.

#include <stdlib.h>

void __wasm_call_ctors(void);
void __wasm_call_dtors(void);
int __main_void(void);

__attribute__((export_name("_start"))) void _start(void) {
  __wasm_call_ctors();
  int code = __main_void();
  if (code != 0) exit(code);
  __wasm_call_dtors();
}
