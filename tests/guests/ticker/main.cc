// Runs on a schedule: counts its runs under "runs", and those with a token that is not larger than
// the one before under "stale"; "token" and "due" are the last one's. It fails while 1 is
// under "fail", and does not return while 2 is.
#include <cstdint>
#include <string>
#include <string_view>

#include "guest.h"

namespace {

guest_string_t lend(std::string_view text) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())), text.size()};
}

class Bucket {
 public:
  Bucket() {
    guest_string_t name = lend("");
    wasi_keyvalue_store_error_t error;
    if (!wasi_keyvalue_store_open(&name, &bucket_, &error)) __builtin_trap();
  }
  ~Bucket() { wasi_keyvalue_store_bucket_drop_own(bucket_); }

  void count(std::string_view key) {
    auto name = lend(key);
    std::uint64_t sum = 0;
    wasi_keyvalue_store_error_t error;
    if (!wasi_keyvalue_atomics_increment(self(), &name, 1, &sum, &error)) __builtin_trap();
  }
  void set(std::string_view key, std::uint64_t value) {
    auto name = lend(key);
    std::string text = std::to_string(value);
    guest_list_u8_t bytes{reinterpret_cast<std::uint8_t*>(text.data()), text.size()};
    wasi_keyvalue_store_error_t error;
    if (!wasi_keyvalue_store_method_bucket_set(self(), &name, &bytes, &error)) __builtin_trap();
  }
  std::uint64_t get(std::string_view key) {
    auto name = lend(key);
    guest_option_list_u8_t found;
    wasi_keyvalue_store_error_t error;
    if (!wasi_keyvalue_store_method_bucket_get(self(), &name, &found, &error)) __builtin_trap();
    std::uint64_t value = 0;
    if (!found.is_some) return value;
    for (std::size_t i = 0; i < found.val.len; ++i) value = value * 10 + (found.val.ptr[i] - '0');
    return value;
  }

 private:
  wasi_keyvalue_store_borrow_bucket_t self() { return wasi_keyvalue_store_borrow_bucket(bucket_); }

  wasi_keyvalue_store_own_bucket_t bucket_;
};

}  // namespace

extern "C" bool exports_weft_cron_handler_run(exports_weft_cron_handler_occurrence_t* at,
                                              guest_string_t* error) {
  Bucket bucket;
  std::uint64_t fail = bucket.get("fail");
  while (fail > 1) asm volatile("");
  if (fail > 0) {
    guest_string_dup(error, "I was told to");
    return false;
  }
  if (at->token <= bucket.get("token")) bucket.count("stale");
  bucket.set("token", at->token);
  bucket.set("due", at->due);
  bucket.count("runs");
  return true;
}
