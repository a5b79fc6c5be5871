// WASI 0.3 HTTP: ?url=U&count=N&lanes=K sends N requests, K at once, and says how many were
// answered with 200.

#include <cstdlib>
#include <string>
#include <vector>

#include "weft/http_client.h"

namespace weft::http {
namespace {

// One request after the other, until none of `left` is left.
Task<> lane(std::string url, int* left, int* good) {
  while ((*left)-- > 0) {
    auto answer = co_await send({.url = url});
    if (!answer) continue;
    auto text = co_await answer->body.read_all();
    if (text && answer->status == 200) ++*good;
  }
}

}  // namespace

Task<> handle(Request request) {
  auto number = [&](const char* name) {
    return static_cast<int>(
        std::strtol(request.parameter(name).value_or("1").c_str(), nullptr, 10));
  };
  int left = number("count");
  int good = 0;
  std::vector<Task<>> lanes;
  for (int i = number("lanes"); i > 0; --i) {
    lanes.push_back(lane(request.parameter("url").value_or(""), &left, &good));
  }
  co_await when_all(std::move(lanes));
  co_await reply(200, std::to_string(good) + "\n");
}

}  // namespace weft::http
