// Counts things in the default bucket of its app, where whoever else has that sees them.

#include <stdlib.h>

#include "guest.h"

uint64_t exports_weft_test_stock_items_count(guest_string_t* name, uint64_t more) {
  guest_string_t bucket_name = {(uint8_t*)"", 0};
  wasi_keyvalue_store_own_bucket_t bucket;
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_store_open(&bucket_name, &bucket, &error)) abort();
  uint64_t count = 0;
  if (!wasi_keyvalue_atomics_increment(wasi_keyvalue_store_borrow_bucket(bucket), name, more,
                                       &count, &error)) {
    abort();
  }
  wasi_keyvalue_store_bucket_drop_own(bucket);
  guest_string_free(name);
  return count;
}
