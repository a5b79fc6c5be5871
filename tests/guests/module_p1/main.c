// A core module for WASI 0.1, as older toolchains leave it: the host adapts it when it is loaded.

#include <stdio.h>

int main(int argc, char** argv) {
  printf("hello from WASI 0.1\n");
  for (int i = 1; i < argc; ++i) printf("argument %d: %s\n", i, argv[i]);
  return argc > 3 ? 3 : 0;
}
