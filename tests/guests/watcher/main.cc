// Is told of changed keys: keeps what it was told of KEY under "seen/KEY" in the bucket it is
// given, and counts it under "times/KEY". Traps for "trap".
#include <string>
#include <string_view>

#include "guest.h"

namespace {

std::string_view view(const guest_string_t* text) {
  return {reinterpret_cast<const char*>(text->ptr), text->len};
}

void keep(exports_wasi_keyvalue_watcher_own_bucket_t bucket, std::string_view key,
          std::string_view text) {
  auto lent = wasi_keyvalue_store_borrow_bucket(bucket);
  std::string seen = "seen/" + std::string(key);
  std::string times = "times/" + std::string(key);
  guest_string_t name{reinterpret_cast<std::uint8_t*>(seen.data()), seen.size()};
  guest_list_u8_t value{reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())),
                        text.size()};
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_store_method_bucket_set(lent, &name, &value, &error)) __builtin_trap();
  guest_string_t counter{reinterpret_cast<std::uint8_t*>(times.data()), times.size()};
  std::uint64_t sum = 0;
  if (!wasi_keyvalue_atomics_increment(lent, &counter, 1, &sum, &error)) __builtin_trap();
  wasi_keyvalue_store_bucket_drop_own(bucket);
}

}  // namespace

extern "C" void exports_wasi_keyvalue_watcher_on_set(
    exports_wasi_keyvalue_watcher_own_bucket_t bucket, guest_string_t* key,
    guest_list_u8_t* value) {
  if (view(key) == "to/trap") __builtin_trap();
  keep(bucket, view(key), {reinterpret_cast<const char*>(value->ptr), value->len});
}

extern "C" void exports_wasi_keyvalue_watcher_on_delete(
    exports_wasi_keyvalue_watcher_own_bucket_t bucket, guest_string_t* key) {
  keep(bucket, view(key), "(deleted)");
}
