// Carts: POST /cart/NAME/ITEM puts one more of the item into the cart NAME and says how many there
// are; GET /cart/NAME/ITEM says it without putting one in. Kept under the name "carts".

#include <string>

#include "weft/http_p2.h"

namespace {

// Adds to the number of an item; false when the store refuses or fails.
bool add(std::string_view key, std::uint64_t count, std::uint64_t& sum) {
  guest_string_t name;
  guest_string_set(&name, "carts");
  wasi_keyvalue_store_own_bucket_t bucket;
  wasi_keyvalue_store_error_t error;
  if (!wasi_keyvalue_store_open(&name, &bucket, &error)) {
    wasi_keyvalue_store_error_free(&error);
    return false;
  }
  guest_string_t text{const_cast<std::uint8_t*>(weft::http::bytes(key).data()), key.size()};
  bool done = wasi_keyvalue_atomics_increment(wasi_keyvalue_store_borrow_bucket(bucket), &text,
                                              count, &sum, &error);
  if (!done) wasi_keyvalue_store_error_free(&error);
  wasi_keyvalue_store_bucket_drop_own(bucket);
  return done;
}

}  // namespace

void weft::http::handle(Request& request, Out out) {
  std::uint64_t one = request.method() == WASI_HTTP_TYPES_METHOD_POST ? 1 : 0;
  std::string_view key = request.path();
  key.remove_prefix(std::string_view("/cart/").size());
  std::uint64_t sum = 0;
  if (!add(key, one, sum)) {
    Response(out, 503).write("the carts are out of order\n");
    return;
  }
  Response(out, 200).write(std::to_string(sum) + "\n");
}
