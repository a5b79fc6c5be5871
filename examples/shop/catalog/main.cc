// What the shop sells, with prices in the currency that it was configured with.

#include <string>

#include "weft/http_p2.h"

namespace {

// The value of a key that weft.toml or the operator set; nothing when there is none.
std::string config(std::string_view key) {
  guest_string_t name{const_cast<std::uint8_t*>(weft::http::bytes(key).data()), key.size()};
  guest_option_string_t value;
  wasi_config_0_2_0_rc_1_store_error_t error;
  if (!wasi_config_0_2_0_rc_1_store_get(&name, &value, &error)) {
    wasi_config_0_2_0_rc_1_store_error_free(&error);
    return {};
  }
  if (!value.is_some) return {};
  std::string text(reinterpret_cast<const char*>(value.val.ptr), value.val.len);
  guest_option_string_free(&value);
  return text;
}

}  // namespace

void weft::http::handle(Request&, Out out) {
  std::string currency = config("currency");
  if (currency.empty()) currency = "(no currency)";
  Response(out, 200).write("apple 2 " + currency + "\npear 3 " + currency + "\n");
}
