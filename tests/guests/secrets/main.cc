// Secrets through the SDK. /get?name=N gets one and shows nothing, /reveal?name=N shows it too;
// /config?name=N reads a value of wasi:config. An error is 502 with its code and message.

#include <string>

#include "weft/config.h"
#include "weft/http.h"
#include "weft/secrets.h"

weft::Task<> weft::http::handle(Request request) {
  std::string name = request.parameter("name").value_or("");
  if (request.path() == "/config") {
    co_return co_await reply(200, config::get_or(name, "(none)") + "\n");
  }
  auto secret = secrets::get(name);
  if (!secret) {
    co_return co_await reply(502, std::to_string(static_cast<int>(secret.error().code)) + " " +
                                      secret.error().message + "\n");
  }
  if (request.path() == "/get") co_return co_await reply(200, "a handle\n");
  co_await reply(200, secret->reveal() + "\n");
}
