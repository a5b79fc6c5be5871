// weft_http_bare PORT THREADS: the HTTP wire with a fixed answer and no guest, what the benches
// compare with.

#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/signal.h"
#include "io/http/server.h"

namespace {

class Hello final : public weft::HttpHandler {
 public:
  void handle(weft::HttpExchange::Ptr exchange) override {
    static constexpr std::string_view kBody = "Hello from weft\n";
    static constexpr weft::Header kHeaders[] = {{"content-type", "text/plain"}};
    if (!exchange->begin_response(200, kHeaders, kBody.size())) return;
    exchange->write(weft::as_bytes(kBody));
    exchange->finish();
  }
};

}  // namespace

int main(int count, char** arguments) {
  using namespace weft;
  if (count != 3) {
    log::error("bare", "usage: weft_http_bare PORT THREADS");
    return 2;
  }
  StopSignals signals;
  signals.hold();
  Loops loops({.count = std::strtoul(arguments[2], nullptr, 10)});
  std::vector<Hello> handlers(loops.size());
  std::vector<HttpHandler*> pointers;
  pointers.reserve(handlers.size());
  for (Hello& each : handlers) pointers.push_back(&each);
  auto port = static_cast<std::uint16_t>(std::strtoul(arguments[1], nullptr, 10));
  auto server = HttpServer::listen(loops, pointers, {.addresses = {{.port = port}}});
  if (!server) {
    log::error("bare", server.error().message());
    return 1;
  }
  log::info("bare", "serving", {{"url", (*server)->url()}});
  signals.wait();
  return (*server)->drain(Deadline::after(std::chrono::seconds(5))) ? 0 : 1;
}
