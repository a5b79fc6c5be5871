// HTTP over wasi:keyvalue: GET, PUT and DELETE /kv/KEY, POST /incr/KEY (by one), GET /keys, GET
// /many?keys=A,B. GET /bench?n=N times N reads of one key and says how many nanoseconds they took,
// GET /alone?n=N what N of them take inside the guest, with nobody called.
// The store is the default one; ?store=NAME names another.

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "weft/http_p2.h"

// Of the bindings: what makes room for everything the host gives.
extern "C" void* cabi_realloc(void* room, std::size_t old_size, std::size_t align,
                              std::size_t size);

namespace weft::http {
namespace {

guest_string_t borrowed(std::string_view text) {
  return {const_cast<std::uint8_t*>(bytes(text).data()), text.size()};
}

std::string_view view(const guest_string_t& text) {
  return {reinterpret_cast<const char*>(text.ptr), text.len};
}

// Answers a failure of the store: 403, 404 or 500.
void fail(Out out, wasi_keyvalue_store_error_t& error) {
  switch (error.tag) {
    case WASI_KEYVALUE_STORE_ERROR_NO_SUCH_STORE:
      Response(out, 404).write("no such store\n");
      break;
    case WASI_KEYVALUE_STORE_ERROR_ACCESS_DENIED:
      Response(out, 403).write("access denied\n");
      break;
    default: Response(out, 500).write(std::string(view(error.val.other)) + "\n");
  }
  wasi_keyvalue_store_error_free(&error);
}

class Bucket {
 public:
  Bucket(std::string_view name, wasi_keyvalue_store_error_t& error) {
    auto text = borrowed(name);
    open_ = wasi_keyvalue_store_open(&text, &own_, &error);
  }
  Bucket(const Bucket&) = delete;
  ~Bucket() {
    if (open_) wasi_keyvalue_store_bucket_drop_own(own_);
  }
  explicit operator bool() const { return open_; }
  auto borrow() const { return wasi_keyvalue_store_borrow_bucket(own_); }

 private:
  bool open_ = false;
  wasi_keyvalue_store_own_bucket_t own_{};
};

void get(const Bucket& bucket, std::string_view key, Out out) {
  auto text = borrowed(key);
  guest_option_list_u8_t value;
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_store_method_bucket_get(bucket.borrow(), &text, &value, &error)) {
    return fail(out, error);
  }
  if (!value.is_some) {
    Response(out, 404).write("no such key\n");
    return;
  }
  Response(out, 200, "application/octet-stream").write(Bytes(value.val.ptr, value.val.len));
  guest_option_list_u8_free(&value);
}

void put(const Bucket& bucket, std::string_view key, std::string body, Out out) {
  auto text = borrowed(key);
  guest_list_u8_t value{reinterpret_cast<std::uint8_t*>(body.data()), body.size()};
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_store_method_bucket_set(bucket.borrow(), &text, &value, &error)) {
    return fail(out, error);
  }
  Response(out, 204);
}

void remove(const Bucket& bucket, std::string_view key, Out out) {
  auto text = borrowed(key);
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_store_method_bucket_delete(bucket.borrow(), &text, &error)) {
    return fail(out, error);
  }
  Response(out, 204);
}

void increment(const Bucket& bucket, std::string_view key, Out out) {
  auto text = borrowed(key);
  std::uint64_t sum = 0;
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_atomics_increment(bucket.borrow(), &text, 1, &sum, &error)) {
    return fail(out, error);
  }
  Response(out, 200).write(std::to_string(sum) + "\n");
}

void list(const Bucket& bucket, Out out) {
  std::string lines;
  wasi_keyvalue_store_key_response_t page{};
  std::uint64_t cursor = 0;
  for (bool more = false, first = true; first || more; first = false) {
    wasi_keyvalue_store_error_t error;
    if (!wasi_keyvalue_store_method_bucket_list_keys(bucket.borrow(), more ? &cursor : nullptr,
                                                     &page, &error)) {
      return fail(out, error);
    }
    for (std::size_t i = 0; i < page.keys.len; ++i) {
      lines += view(page.keys.ptr[i]);
      lines += '\n';
    }
    more = page.cursor.is_some;
    cursor = page.cursor.val;
    wasi_keyvalue_store_key_response_free(&page);
  }
  Response(out, 200).write(lines);
}

void get_many(const Bucket& bucket, std::string_view keys, Out out) {
  std::vector<guest_string_t> names;
  for (std::size_t at = 0; at <= keys.size();) {
    auto end = std::min(keys.find(',', at), keys.size());
    names.push_back(borrowed(keys.substr(at, end - at)));
    at = end + 1;
  }
  guest_list_string_t wanted{names.data(), names.size()};
  guest_list_option_tuple2_string_list_u8_t rows;
  wasi_keyvalue_batch_error_t error;
  if (!wasi_keyvalue_batch_get_many(bucket.borrow(), &wanted, &rows, &error)) {
    return fail(out, error);
  }
  std::string lines;
  for (std::size_t i = 0; i < rows.len; ++i) {
    auto& row = rows.ptr[i];
    if (row.is_some) {
      lines += view(row.val.f0);
      lines += '=';
      lines.append(reinterpret_cast<const char*>(row.val.f1.ptr), row.val.f1.len);
    } else {
      lines += "(none)";
    }
    lines += '\n';
  }
  guest_list_option_tuple2_string_list_u8_free(&rows);
  Response(out, 200).write(lines);
}

void bench(const Bucket& bucket, std::uint64_t rounds, Out out) {
  constexpr std::string_view kKey = "0123456789abcdef";
  auto text = borrowed(kKey);
  guest_list_u8_t value{const_cast<std::uint8_t*>(bytes(kKey).data()), kKey.size()};
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_store_method_bucket_set(bucket.borrow(), &text, &value, &error)) {
    return fail(out, error);
  }
  auto start = wasi_clocks_monotonic_clock_now();
  for (std::uint64_t i = 0; i < rounds; ++i) {
    guest_option_list_u8_t found;
    if (!wasi_keyvalue_store_method_bucket_get(bucket.borrow(), &text, &found, &error)) {
      return fail(out, error);
    }
    guest_option_list_u8_free(&found);
  }
  auto spent = wasi_clocks_monotonic_clock_now() - start;
  Response(out, 200).write(std::to_string(spent) + "\n");
}

// Takes and gives back the room of a value, as every read does.
void alone(std::uint64_t rounds, Out out) {
  auto start = wasi_clocks_monotonic_clock_now();
  for (std::uint64_t i = 0; i < rounds; ++i) {
    auto* room = static_cast<std::uint8_t*>(cabi_realloc(nullptr, 0, 1, 16));
    guest_option_list_u8_t found{true, {room, 16}};
    guest_option_list_u8_free(&found);
  }
  auto spent = wasi_clocks_monotonic_clock_now() - start;
  Response(out, 200).write(std::to_string(spent) + "\n");
}

}  // namespace

void handle(Request& request, Out out) {
  if (request.path() == "/alone") {
    return alone(std::strtoull(std::string(request.query("n")).c_str(), nullptr, 10), out);
  }
  wasi_keyvalue_store_error_t error;
  Bucket bucket(request.query("store"), error);
  if (!bucket) return fail(out, error);
  auto path = request.path();
  auto method = request.method();
  if (path == "/bench") {
    bench(bucket, std::strtoull(std::string(request.query("n")).c_str(), nullptr, 10), out);
  } else if (path == "/keys") {
    list(bucket, out);
  } else if (path == "/many") {
    get_many(bucket, request.query("keys"), out);
  } else if (path.starts_with("/incr/") && method == "POST") {
    increment(bucket, path.substr(6), out);
  } else if (path.starts_with("/kv/") && method == "GET") {
    get(bucket, path.substr(4), out);
  } else if (path.starts_with("/kv/") && method == "PUT") {
    put(bucket, path.substr(4), request.read_all().value_or(""), out);
  } else if (path.starts_with("/kv/") && method == "DELETE") {
    remove(bucket, path.substr(4), out);
  } else {
    Response(out, 404).write("GET, PUT or DELETE /kv/KEY, POST /incr/KEY, GET /keys\n");
  }
}

}  // namespace weft::http
