// A command that counts its runs.

#include <inttypes.h>
#include <stdio.h>

#include "guest.h"

int main(int argc, char** argv) {
  guest_string_t name, key;
  guest_string_set(&name, "runs");
  guest_string_set(&key, "all");
  wasi_keyvalue_store_own_bucket_t bucket;
  wasi_keyvalue_store_error_t error;
  uint64_t runs = 0;
  if (!wasi_keyvalue_store_open(&name, &bucket, &error) ||
      !wasi_keyvalue_atomics_increment(wasi_keyvalue_store_borrow_bucket(bucket), &key, 1, &runs,
                                       &error)) {
    fprintf(stderr, "the store does not answer (%d)\n", error.tag);
    return 1;
  }
  wasi_keyvalue_store_bucket_drop_own(bucket);
  printf("Hello, %s! This is run %" PRIu64 ".\n", argc > 1 ? argv[1] : "world", runs);
  return 0;
}
