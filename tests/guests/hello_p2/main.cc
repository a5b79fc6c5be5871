// WASI 0.2 HTTP: / says hello, /echo sends the request's body back as it comes, /count counts it,
// /chunks sends five pieces 50 ms apart, /big?bytes=N sends N bytes, /status?code=N answers so,
// /calls counts the calls of this instance, /stall sends one piece and then nothing, /drip sends a
// piece every 20 ms for ever.

#include <cstdio>
#include <cstdlib>
#include <string>

#include "weft/http_p2.h"

namespace weft::http {
namespace {

unsigned calls = 0;

std::uint64_t number(std::string_view text) {
  return std::strtoull(std::string(text).c_str(), nullptr, 10);
}

void pause(std::uint64_t nanoseconds) {
  auto timer = wasi_clocks_monotonic_clock_subscribe_duration(nanoseconds);
  wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(timer));
  wasi_io_poll_pollable_drop_own(timer);
}

constexpr std::uint64_t kHour = 3'600'000'000'000;

void big(Response& response, std::uint64_t size) {
  std::string block(64 * 1024, 'x');
  while (size != 0) {
    auto now = size < block.size() ? size : block.size();
    if (!response.write(std::string_view(block).substr(0, now))) return;
    size -= now;
  }
}

}  // namespace

void handle(Request& request, Out out) {
  ++calls;
  auto path = request.path();
  if (path == "/echo") {
    Response response(out, 200, "application/octet-stream");
    while (auto piece = request.read()) {
      if (!response.write(*piece)) return;
    }
  } else if (path == "/count") {
    std::uint64_t count = 0;
    while (auto piece = request.read()) count += piece->size();
    Response(out, 200).write(std::to_string(count) + "\n");
  } else if (path == "/chunks") {
    Response response(out, 200);
    for (int i = 0; i < 5; ++i) {
      if (!response.write("chunk " + std::to_string(i) + "\n") || !response.flush()) return;
      pause(50'000'000);
    }
  } else if (path == "/big") {
    Response response(out, 200, "application/octet-stream");
    big(response, number(request.query("bytes")));
  } else if (path == "/status") {
    Response(out, static_cast<std::uint16_t>(number(request.query("code")))).write("as asked\n");
  } else if (path == "/calls") {
    Response(out, 200).write(std::to_string(calls) + "\n");
  } else if (path == "/stall") {
    Response response(out, 200);
    if (response.write("one\n") && response.flush()) pause(kHour);
  } else if (path == "/drip") {
    Response response(out, 200);
    while (response.write("drip\n") && response.flush()) pause(20'000'000);
  } else {
    Response(out, 200).write("hello from C++ p2\n");
  }
}

}  // namespace weft::http
