// wasi:keyvalue: values under keys, in buckets that outlive the component.
//
// A name is one of `uses.keyvalue` in weft.toml; which database is behind it is the operator's
// choice. Values are bytes: a std::string may hold any. In WASI 0.3 a call lets other requests of
// the instance wait, as it does in 0.2.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/result.h"

#ifndef WASI_KEYVALUE_STORE_ERROR_NO_SUCH_STORE
#error "the world does not import wasi:keyvalue/store@0.2.0-draft, atomics and batch"
#endif

namespace weft::keyvalue {

namespace detail {

using weft::detail::lend;
using weft::detail::view;

inline std::unexpected<Error> taken(wasi_keyvalue_store_error_t& error) {
  switch (error.tag) {
    case WASI_KEYVALUE_STORE_ERROR_NO_SUCH_STORE:
      return failure(Code::kNotFound, "there is no bucket of that name");
    case WASI_KEYVALUE_STORE_ERROR_ACCESS_DENIED:
      return failure(Code::kDenied, "the bucket is not granted: name it in uses.keyvalue");
    default: break;
  }
  std::string message(view(error.val.other));
  wasi_keyvalue_store_error_free(&error);
  return failure(Code::kOther, std::move(message));
}

inline guest_list_u8_t lend_value(std::string_view value) {
  return {const_cast<std::uint8_t*>(bytes(value).data()), value.size()};
}

}  // namespace detail

// One page of a bucket's keys.
struct Page {
  std::vector<std::string> keys;
  std::optional<std::uint64_t> next;  // Absent: there are no more.
};

// An open bucket. Closed with its last owner.
class Bucket {
 public:
  explicit Bucket(wasi_keyvalue_store_own_bucket_t handle) : handle_(handle) {}
  Bucket(Bucket&& other) noexcept : handle_(std::exchange(other.handle_, {0})) {}
  Bucket& operator=(Bucket&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Bucket() {
    if (handle_.__handle != 0) wasi_keyvalue_store_bucket_drop_own(handle_);
  }

  // The value of a key; nothing when there is none.
  Result<std::optional<std::string>> get(std::string_view key) const {
    auto name = detail::lend(key);
    guest_option_list_u8_t value;
    wasi_keyvalue_store_error_t error;
    if (!wasi_keyvalue_store_method_bucket_get(borrow(), &name, &value, &error)) {
      return detail::taken(error);
    }
    if (!value.is_some) return std::nullopt;
    std::string out(detail::view(value.val));
    guest_option_list_u8_free(&value);
    return out;
  }
  Result<> set(std::string_view key, std::string_view value) const {
    auto name = detail::lend(key);
    auto data = detail::lend_value(value);
    wasi_keyvalue_store_error_t error;
    if (wasi_keyvalue_store_method_bucket_set(borrow(), &name, &data, &error)) return {};
    return detail::taken(error);
  }
  // Removing an absent key is no failure.
  Result<> remove(std::string_view key) const {
    auto name = detail::lend(key);
    wasi_keyvalue_store_error_t error;
    if (wasi_keyvalue_store_method_bucket_delete(borrow(), &name, &error)) return {};
    return detail::taken(error);
  }
  Result<bool> exists(std::string_view key) const {
    auto name = detail::lend(key);
    bool found = false;
    wasi_keyvalue_store_error_t error;
    if (wasi_keyvalue_store_method_bucket_exists(borrow(), &name, &found, &error)) return found;
    return detail::taken(error);
  }
  // Adds to the number under a key and gives the sum, in one step whoever else does the same. An
  // absent key counts from nothing.
  Result<std::uint64_t> increment(std::string_view key, std::uint64_t delta = 1) const {
    auto name = detail::lend(key);
    std::uint64_t sum = 0;
    wasi_keyvalue_store_error_t error;
    if (wasi_keyvalue_atomics_increment(borrow(), &name, delta, &sum, &error)) return sum;
    return detail::taken(error);
  }

  // A page of keys: the first one, or the one after a page with `next`.
  Result<Page> list(std::optional<std::uint64_t> cursor = {}) const {
    wasi_keyvalue_store_key_response_t page;
    wasi_keyvalue_store_error_t error;
    if (!wasi_keyvalue_store_method_bucket_list_keys(borrow(), cursor ? &*cursor : nullptr, &page,
                                                     &error)) {
      return detail::taken(error);
    }
    Page out;
    for (std::size_t i = 0; i < page.keys.len; ++i) {
      out.keys.emplace_back(detail::view(page.keys.ptr[i]));
    }
    if (page.cursor.is_some) out.next = page.cursor.val;
    wasi_keyvalue_store_key_response_free(&page);
    return out;
  }
  // The keys of all pages.
  Result<std::vector<std::string>> keys() const {
    std::vector<std::string> all;
    std::optional<std::uint64_t> cursor;
    do {
      auto page = list(cursor);
      if (!page) return std::unexpected(std::move(page).error());
      for (std::string& key : page->keys) all.push_back(std::move(key));
      cursor = page->next;
    } while (cursor);
    return all;
  }

  // Many at once, in one call: a value, or nothing, for each key in its order.
  Result<std::vector<std::optional<std::string>>> get_many(
      const std::vector<std::string>& keys) const {
    std::vector<guest_string_t> names;
    for (const std::string& key : keys) names.push_back(detail::lend(key));
    guest_list_string_t wanted{names.data(), names.size()};
    guest_list_option_tuple2_string_list_u8_t rows;
    wasi_keyvalue_batch_error_t error;
    if (!wasi_keyvalue_batch_get_many(borrow(), &wanted, &rows, &error)) {
      return detail::taken(error);
    }
    std::vector<std::optional<std::string>> out(rows.len);
    for (std::size_t i = 0; i < rows.len; ++i) {
      if (rows.ptr[i].is_some) out[i] = std::string(detail::view(rows.ptr[i].val.f1));
    }
    guest_list_option_tuple2_string_list_u8_free(&rows);
    return out;
  }
  // After a failure some of it may be done.
  Result<> set_many(const std::vector<std::pair<std::string, std::string>>& values) const {
    std::vector<guest_tuple2_string_list_u8_t> rows;
    for (const auto& [key, value] : values) {
      rows.push_back({detail::lend(key), detail::lend_value(value)});
    }
    guest_list_tuple2_string_list_u8_t list{rows.data(), rows.size()};
    wasi_keyvalue_batch_error_t error;
    if (wasi_keyvalue_batch_set_many(borrow(), &list, &error)) return {};
    return detail::taken(error);
  }
  Result<> remove_many(const std::vector<std::string>& keys) const {
    std::vector<guest_string_t> names;
    for (const std::string& key : keys) names.push_back(detail::lend(key));
    guest_list_string_t list{names.data(), names.size()};
    wasi_keyvalue_batch_error_t error;
    if (wasi_keyvalue_batch_delete_many(borrow(), &list, &error)) return {};
    return detail::taken(error);
  }

 private:
  wasi_keyvalue_store_borrow_bucket_t borrow() const {
    return wasi_keyvalue_store_borrow_bucket(handle_);
  }

  wasi_keyvalue_store_own_bucket_t handle_;
};

// The bucket of that name. The empty name is for a component that runs without a weft.toml.
inline Result<Bucket> open(std::string_view name = {}) {
  auto text = detail::lend(name);
  wasi_keyvalue_store_own_bucket_t handle;
  wasi_keyvalue_store_error_t error;
  if (wasi_keyvalue_store_open(&text, &handle, &error)) return Bucket(handle);
  return detail::taken(error);
}

}  // namespace weft::keyvalue
