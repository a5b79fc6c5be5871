// A page that counts its visitors. The count is under the key "visits" of the default store.

#include <string>

#include "weft/http_p2.h"

namespace {

// The number of this visit; 0 when the store does not answer.
std::uint64_t count_visit() {
  guest_string_t name{};
  wasi_keyvalue_store_own_bucket_t bucket;
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_store_open(&name, &bucket, &error)) {
    wasi_keyvalue_store_error_free(&error);
    return 0;
  }
  guest_string_t key;
  guest_string_set(&key, "visits");
  std::uint64_t visits = 0;
  if (!wasi_keyvalue_atomics_increment(wasi_keyvalue_store_borrow_bucket(bucket), &key, 1, &visits,
                                       &error)) {
    wasi_keyvalue_store_error_free(&error);
  }
  wasi_keyvalue_store_bucket_drop_own(bucket);
  return visits;
}

std::string page(std::uint64_t visits) {
  std::string count = visits ? "This page was served " + std::to_string(visits) + " times."
                             : "The counter is out of order.";
  return "<!doctype html>\n"
         "<title>hello from weft</title>\n"
         "<h1>Hello from a component</h1>\n"
         "<p>" +
         count + " The count survives a restart.</p>\n";
}

}  // namespace

void weft::http::handle(Request& request, Out out) {
  if (request.path() != "/") {
    Response(out, 404).write("there is only /\n");
    return;
  }
  Response(out, 200, "text/html; charset=utf-8").write(page(count_visit()));
}
