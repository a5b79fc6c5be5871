// The SDK of WASI 0.2: /echo, /all, /secure, /send, /both and /post as sdk_p3 has them.

#include <string>

#include "weft/clock.h"
#include "weft/http_client.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;

void show(Out out, const Result<std::string>& result) {
  if (result) return reply(out, 200, *result);
  reply(
      out, 502,
      std::to_string(static_cast<int>(result.error().code)) + " " + result.error().message + "\n");
}

Result<std::string> text_of(Result<Incoming> answer) {
  if (!answer) return std::unexpected(answer.error());
  auto text = answer->body.read_all();
  if (!text) return text;
  return std::to_string(answer->status) + " " + *text;
}

void both(Request& request, Out out) {
  auto a = start({.url = request.parameter("a").value_or("")});
  auto b = start({.url = request.parameter("b").value_or("")});
  if (!a || !b) return show(out, std::unexpected(a ? b.error() : a.error()));
  auto first = text_of(a->wait());
  auto second = text_of(b->wait());
  if (!first || !second) return show(out, first ? second : first);
  show(out, *first + *second);
}

void post(Request& request, Out out) {
  auto pending =
      start({.url = request.parameter("url").value_or(""), .method = "POST"}, [](Writer& writer) {
        for (int i = 0; i < 3; ++i) {
          writer.write("piece ");
          sleep_for(1ms);
        }
      });
  if (!pending) return show(out, std::unexpected(pending.error()));
  auto answer = pending->wait();
  if (!answer) return show(out, std::unexpected(answer.error()));
  show(out, answer->body.read_all());
}

}  // namespace

void handle(Request& request, Out out) {
  auto path = request.path();
  if (path == "/both") return both(request, out);
  if (path == "/post") return post(request, out);
  if (path == "/secure") return reply(out, 200, request.secure() ? "secure\n" : "plain\n");
  if (path == "/send") {
    return show(out, text_of(send({.url = request.parameter("url").value_or("")})));
  }
  if (path == "/all") {
    auto text = request.read_all(
        std::strtoul(request.parameter("most").value_or("9").c_str(), nullptr, 10));
    if (!text) return reply(out, 413, text.error().message + "\n");
    return reply(out, 200, std::to_string(text->size()) + "\n");
  }
  Response response(out, 200, "application/octet-stream");
  while (auto piece = request.read()) {
    if (!response.write(*piece)) return;
  }
}

}  // namespace weft::http
