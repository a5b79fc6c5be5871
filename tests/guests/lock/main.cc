// Locks through the SDK, in WASI 0.3. /hold?name=N&ttl=MS&wait=MS&for=MS takes a lock, keeps it for
// that long, and answers its token and whether it is held yet; /trap?name=N takes one and traps;
// /lost?name=N&ttl=MS waits until it is lost. An error is 502 with its code and message.
#include <chrono>
#include <cstdlib>
#include <string>

#include "weft/clock.h"
#include "weft/http.h"
#include "weft/lock.h"

namespace weft::http {

Task<> handle(Request request) {
  auto time = [&](const char* name, const char* otherwise) {
    std::string text = request.parameter(name).value_or(otherwise);
    return std::chrono::milliseconds(std::strtol(text.c_str(), nullptr, 10));
  };
  auto guard = co_await lock::acquire(request.parameter("name").value_or(""), time("ttl", "30000"),
                                      time("wait", "0"));
  if (!guard) {
    co_return co_await reply(502, std::to_string(static_cast<int>(guard.error().code)) + " " +
                                      guard.error().message + "\n");
  }
  if (request.path() == "/trap") __builtin_trap();
  if (request.path() == "/lost") co_await guard->lost();
  co_await sleep_for(time("for", "0"));
  co_await reply(200,
                 std::to_string(guard->token()) + (guard->is_held() ? " held" : " lost") + "\n");
}

}  // namespace weft::http
