// The SDK of WASI 0.3, a path for each thing it has. /echo sends the body back, /all reads it whole
// (?most=N at most) and says its length and trailers, /meta says method, path, the parameter "a"
// and the header x-in, and gives x-in back as x-out, /secure says whether it came over TLS; /store
// goes through a bucket's calls (?name=NAME), /config reads "currency", /log writes a line;
// /send?url=U sends a request, /both?a=U&b=U two side by side, /post?url=U one whose body is
// written piece by piece, /fan?url=U&count=N&lanes=K sends N, K at once, and says how many were
// answered with 200; /sleep waits for three times 500 ms at once, /after logs a line 400 ms
// after its response.

#include <string>

#include "weft/clock.h"
#include "weft/config.h"
#include "weft/http_client.h"
#include "weft/keyvalue.h"
#include "weft/logging.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;

Task<> echo(Request request) {
  Response response(200, "application/octet-stream");
  Body body = std::move(request).body();
  while (auto piece = co_await body.read()) {
    if (!co_await response.write(*piece)) break;
  }
}

Task<> all(Request request) {
  auto most = request.parameter("most");
  Body body = std::move(request).body();
  auto text = co_await body.read_all(most ? std::strtoul(most->c_str(), nullptr, 10) : 1'000'000);
  if (!text) co_return co_await reply(413, text.error().message + "\n");
  std::string answer = std::to_string(text->size());
  for (const Header& trailer : body.trailers()) answer += " " + trailer.name + "=" + trailer.value;
  co_await reply(200, answer + "\n");
}

Task<> meta(Request request) {
  auto in = request.header("X-In").value_or("(none)");
  bool listed = find(request.headers(), "x-in").has_value();
  Response response(201, Headers{{"content-type", "text/plain"}, {"x-out", in}});
  co_await response.write(request.method() + " " + request.path() + " " +
                          request.parameter("a").value_or("(none)") + " " + in +
                          (listed ? " listed\n" : "\n"));
}

Result<std::string> go_through(const std::string& name) {
  auto bucket = keyvalue::open(name);
  if (!bucket) return std::unexpected(bucket.error());
  if (auto done = bucket->set("a", std::string("1\0", 2)); !done) {
    return std::unexpected(done.error());
  }
  auto a = bucket->get("a");
  auto none = bucket->get("none");
  auto many = bucket->set_many({{"b", "2"}, {"c", "3"}});
  auto got = bucket->get_many({"c", "none", "b"});
  auto keys = bucket->keys();
  auto gone = bucket->remove("a");
  auto there = bucket->exists("a");
  auto sum = bucket->increment("n", 5);
  if (!a || !none || !many || !got || !keys || !gone || !there || !sum) {
    return failure(Code::kOther, "a call failed");
  }
  std::string text = std::to_string((*a)->size()) + (*none ? " ?" : " -") + " ";
  for (const auto& each : *got) text += each.value_or("-");
  text += " " + std::to_string(keys->size()) + (*there ? " ?" : " -") + " " + std::to_string(*sum);
  if (auto cleared = bucket->remove_many(*keys); !cleared) return failure(Code::kOther, "no");
  return text + "\n";
}

std::string code_of(const Error& error) {
  return std::to_string(static_cast<int>(error.code)) + " " + error.message + "\n";
}

Task<Result<std::string>> fetch(std::string url) {
  auto answer = co_await send({.url = url, .first_byte_timeout = 20s});
  if (!answer) co_return std::unexpected(answer.error());
  auto text = co_await answer->body.read_all();
  if (!text) co_return std::unexpected(text.error());
  co_return std::to_string(answer->status) + " " + *text;
}

Task<> show(Result<std::string> result) {
  if (result) return reply(200, *result);
  return reply(502, code_of(result.error()));
}

Task<> both(Request request) {
  auto [a, b] = co_await when_all(fetch(request.parameter("a").value_or("")),
                                  fetch(request.parameter("b").value_or("")));
  if (!a || !b) co_return co_await show(a ? b : a);
  co_await reply(200, *a + *b);
}

Task<> post(Request request) {
  std::string piece = request.parameter("piece").value_or("piece ");
  auto answer = co_await send({.url = request.parameter("url").value_or(""), .method = "POST"},
                              [piece](Writer writer) -> Task<> {
                                for (int i = 0; i < 3; ++i) {
                                  co_await writer.write(piece);
                                  co_await sleep_for(1ms);
                                }
                              });
  if (!answer) co_return co_await show(std::unexpected(answer.error()));
  co_await show(co_await answer->body.read_all());
}

// What goes on when its response is out.
Task<> afterwards() {
  co_await sleep_for(400ms);
  log::info("done afterwards");
}

Task<> pauses() {
  std::vector<Task<>> waits;
  for (int i = 0; i < 3; ++i) waits.push_back(sleep_for(500ms));
  auto start = now();
  co_await when_all(std::move(waits));
  co_await reply(200, now() - start < 1400ms ? "at once\n" : "one after the other\n");
}

}  // namespace

Task<> handle(Request request) {
  std::string path = request.path();
  if (path == "/echo") co_return co_await echo(std::move(request));
  if (path == "/all") co_return co_await all(std::move(request));
  if (path == "/both") co_return co_await both(std::move(request));
  if (path == "/post") co_return co_await post(std::move(request));
  if (path == "/sleep") co_return co_await pauses();
  if (path == "/after") {
    co_await reply(200, "later\n");
    afterwards().detach();
    co_return;
  }
  if (path == "/send") {
    co_return co_await show(co_await fetch(request.parameter("url").value_or("")));
  }
  if (path == "/secure") co_return co_await reply(200, request.secure() ? "secure\n" : "plain\n");
  if (path == "/store") {
    co_return co_await show(go_through(request.parameter("name").value_or("")));
  }
  if (path == "/config") co_return co_await reply(200, config::get_or("currency", "none") + "\n");
  if (path == "/log") {
    log::warn("a line of the SDK");
    co_return co_await reply(200, "logged\n");
  }
  co_await meta(std::move(request));
}

}  // namespace weft::http
