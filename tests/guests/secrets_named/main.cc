// Reveals the one secret that is called as it is imported, through wasmcloud:secrets 2.1.0, which
// is asynchronous.

#include "guest.hpp"

namespace secrets = weft::wit::wasmcloud::secrets_2_1_0;

weft::Task<std::string> weft::wit::weft_test::secrets_named::guest::exports::read() {
  auto secret = co_await secrets::secret::get();
  auto value = co_await secrets::reveal::reveal(secret);
  co_return value.as<secrets::store::SecretValue::String>()->value;
}
