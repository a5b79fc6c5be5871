// WASI 0.3 HTTP: / says hello, /echo sends the request's body back as it comes, /chunks sends five
// pieces 50 ms apart, /wait answers after a second, /calls counts the calls of this instance, /spin
// never ends, /trap ends in `unreachable`, /stall sends one piece and then nothing, /drip sends a
// piece every 20 ms for ever, /late sends one and then never ends, /linger answers and then wakes
// up every 20 ms for ever.

#include <string>
#include <vector>

#include "weft/http_p3.h"

namespace weft::http {
namespace {

unsigned calls = 0;

Task<> pause(std::uint64_t nanoseconds) {
  co_await Subtask{wasi_clocks_monotonic_clock_wait_for(nanoseconds)};
}

Task<> echo(Request request) {
  Body body = std::move(request).body();
  Response response;
  std::vector<std::uint8_t> buffer(64 * 1024);
  while (auto count = co_await body.read(buffer.data(), buffer.size())) {
    if (!co_await response.write(buffer.data(), count)) break;
  }
  co_await body.finish();
  co_await response.finish();
}

Task<> chunks() {
  Response response;
  for (int i = 0; i < 5; ++i) {
    std::string line = "chunk " + std::to_string(i) + "\n";
    if (!co_await response.write(line)) break;
    co_await pause(50'000'000);
  }
  co_await response.finish();
}

constexpr std::uint64_t kHour = 3'600'000'000'000;

Task<> stall() {
  Response response;
  co_await response.write("one\n");
  co_await pause(kHour);
  co_await response.finish();
}

Task<> drip() {
  Response response;
  while (co_await response.write("drip\n")) co_await pause(20'000'000);
  co_await response.finish();
}

[[noreturn]] void spin() {
  for (volatile unsigned turns = 0;; turns = turns + 1) {
  }
}

Task<> late() {
  Response response;
  co_await response.write("one\n");
  co_await pause(50'000'000);  // Or the piece is not on its way yet.
  spin();
}

Task<> linger() {
  {
    Response response;
    co_await response.write("lingering\n");
    co_await response.finish();
  }
  for (;;) co_await pause(20'000'000);
}

Task<> say(std::string text) {
  Response response;
  co_await response.write(text);
  co_await response.finish();
}

}  // namespace

Task<> handle(Request request) {
  ++calls;
  std::string path = request.path_with_query();
  if (path == "/echo") {
    co_await echo(std::move(request));
  } else if (path == "/chunks") {
    co_await chunks();
  } else if (path == "/wait") {
    co_await pause(1'000'000'000);
    co_await say("waited\n");
  } else if (path == "/spin") {
    spin();
  } else if (path == "/trap") {
    __builtin_trap();
  } else if (path == "/stall") {
    co_await stall();
  } else if (path == "/drip") {
    co_await drip();
  } else if (path == "/late") {
    co_await late();
  } else if (path == "/linger") {
    co_await linger();
  } else if (path == "/calls") {
    co_await say(std::to_string(calls) + "\n");
  } else {
    co_await say("hello from C++ p3\n");
  }
}

}  // namespace weft::http
