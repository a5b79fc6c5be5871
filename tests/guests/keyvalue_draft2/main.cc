// A command that goes through wasi:keyvalue@0.2.0-draft2 and prints what it got: reads and writes,
// pages of keys, counters, compare-and-swap, and batches in the shape it is built for (WEFT_ROWS is
// the one with a row for every key). Its argument names a store.

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "guest.h"

namespace {

using Bucket = wasi_keyvalue_store_borrow_bucket_t;

guest_string_t text(std::string_view view) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(view.data())), view.size()};
}

guest_list_u8_t bytes(std::string_view view) {
  return {text(view).ptr, view.size()};
}

template <class List>
std::string show(const List& list) {
  return std::string(reinterpret_cast<const char*>(list.ptr), list.len);
}

std::string show(const guest_option_list_u8_t& value) {
  return value.is_some ? show(value.val) : "(none)";
}

int fail(const char* what, const wasi_keyvalue_store_error_t& error) {
  switch (error.tag) {
    case WASI_KEYVALUE_STORE_ERROR_NO_SUCH_STORE: std::printf("%s: no such store\n", what); break;
    case WASI_KEYVALUE_STORE_ERROR_ACCESS_DENIED: std::printf("%s: access denied\n", what); break;
    default: std::printf("%s: %s\n", what, show(error.val.other).c_str());
  }
  return 1;
}

int basics(Bucket bucket) {
  auto key = text("fruit");
  auto value = bytes("apple");
  wasi_keyvalue_store_error_t error;
  guest_option_list_u8_t got;
  if (!wasi_keyvalue_store_method_bucket_delete(bucket, &key, &error)) return fail("delete", error);
  if (!wasi_keyvalue_store_method_bucket_get(bucket, &key, &got, &error)) return fail("get", error);
  std::printf("before: %s\n", show(got).c_str());
  if (!wasi_keyvalue_store_method_bucket_set(bucket, &key, &value, &error)) {
    return fail("set", error);
  }
  if (!wasi_keyvalue_store_method_bucket_get(bucket, &key, &got, &error)) return fail("get", error);
  std::printf("after: %s\n", show(got).c_str());
  wasi_keyvalue_store_key_response_t page;
  if (!wasi_keyvalue_store_method_bucket_list_keys(bucket, nullptr, &page, &error)) {
    return fail("list-keys", error);
  }
  for (std::size_t i = 0; i < page.keys.len; ++i) {
    std::printf("key: %s\n", show(page.keys.ptr[i]).c_str());
  }
  return 0;
}

int counters(Bucket bucket) {
  auto key = text("count");
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_store_method_bucket_delete(bucket, &key, &error)) return fail("delete", error);
  for (std::int64_t delta : {5, -7}) {
    std::int64_t sum = 0;
    if (!wasi_keyvalue_atomics_increment(bucket, &key, delta, &sum, &error)) {
      return fail("increment", error);
    }
    std::printf("sum: %lld\n", static_cast<long long>(sum));
  }
  return 0;
}

// The first swap loses against a write in between, the second one wins.
int swaps(Bucket bucket) {
  auto key = text("fruit");
  auto other = bytes("pear");
  auto wanted = bytes("plum");
  wasi_keyvalue_store_error_t error;
  wasi_keyvalue_atomics_own_cas_t cas;
  if (!wasi_keyvalue_atomics_static_cas_new(bucket, &key, &cas, &error)) return fail("new", error);
  if (!wasi_keyvalue_store_method_bucket_set(bucket, &key, &other, &error)) {
    return fail("set", error);
  }
  wasi_keyvalue_atomics_cas_error_t lost;
  if (wasi_keyvalue_atomics_swap(cas, &wanted, &lost)) {
    std::printf("the lost swap went through\n");
    return 1;
  }
  if (lost.tag != WASI_KEYVALUE_ATOMICS_CAS_ERROR_CAS_FAILED) {
    return fail("swap", lost.val.store_error);
  }
  guest_option_list_u8_t now;
  auto fresh = wasi_keyvalue_atomics_borrow_cas(lost.val.cas_failed);
  if (!wasi_keyvalue_atomics_method_cas_current(fresh, &now, &error)) return fail("current", error);
  std::printf("swap failed, it is now: %s\n", show(now).c_str());
  if (!wasi_keyvalue_atomics_swap(lost.val.cas_failed, &wanted, &lost)) {
    std::printf("the second swap failed\n");
    return 1;
  }
  if (!wasi_keyvalue_store_method_bucket_get(bucket, &key, &now, &error)) return fail("get", error);
  std::printf("swapped: %s\n", show(now).c_str());
  return 0;
}

int batches(Bucket bucket) {
  std::vector<guest_tuple2_string_list_u8_t> pairs{{text("one"), bytes("1")},
                                                   {text("two"), bytes("2")}};
  guest_list_tuple2_string_list_u8_t put{pairs.data(), pairs.size()};
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_batch_set_many(bucket, &put, &error)) return fail("set-many", error);
  std::vector<guest_string_t> names{text("two"), text("absent"), text("one")};
  guest_list_string_t keys{names.data(), names.size()};
#ifdef WEFT_ROWS
  guest_list_tuple2_string_option_list_u8_t rows;
  if (!wasi_keyvalue_batch_get_many(bucket, &keys, &rows, &error)) return fail("get-many", error);
  for (std::size_t i = 0; i < rows.len; ++i) {
    std::printf("row: %s = %s\n", show(rows.ptr[i].f0).c_str(), show(rows.ptr[i].f1).c_str());
  }
#else
  guest_list_option_tuple2_string_list_u8_t rows;
  if (!wasi_keyvalue_batch_get_many(bucket, &keys, &rows, &error)) return fail("get-many", error);
  for (std::size_t i = 0; i < rows.len; ++i) {
    auto& row = rows.ptr[i];
    if (row.is_some) {
      std::printf("row: %s = %s\n", show(row.val.f0).c_str(), show(row.val.f1).c_str());
    } else {
      std::printf("row: (none)\n");
    }
  }
#endif
  if (!wasi_keyvalue_batch_delete_many(bucket, &keys, &error)) return fail("delete-many", error);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  auto name = text(argc > 1 ? argv[1] : "");
  wasi_keyvalue_store_own_bucket_t own;
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_store_open(&name, &own, &error)) return fail("open", error);
  auto bucket = wasi_keyvalue_store_borrow_bucket(own);
  for (auto step : {basics, counters, swaps, batches}) {
    if (int code = step(bucket)) return code;
  }
  wasi_keyvalue_store_bucket_drop_own(own);
  return 0;
}
