// weft_wire_server CERTIFICATE KEY FOLDER LOG quick|slow: serves a plain and a TLS address. /hello
// says so, /echo sends the body back, /wait answers after half a second, /files/... are the
// folder's. With `quick` every time-out is 300 ms.

#include <pthread.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "io/http/server.h"
#include "io/timer.h"
#include "triggers/http/router_handler.h"
#include "triggers/http/static_handler.h"

namespace weft {
namespace {

constexpr std::chrono::seconds kDrainMax{10};

void say(HttpExchange& exchange, std::string_view text) {
  const Header headers[] = {{"content-type", "text/plain"}};
  if (!exchange.begin_response(200, headers, text.size())) return;
  exchange.write(as_bytes(text));
  exchange.finish();
}

class Hello final : public HttpHandler {
 public:
  void handle(HttpExchange::Ptr exchange) override { say(*exchange, "hello\n"); }
};

// Answers half a second later.
class Wait final : public HttpHandler {
 public:
  void handle(HttpExchange::Ptr exchange) override { new Waiting(std::move(exchange)); }

 private:
  struct Waiting final : ExchangeEvents {
    explicit Waiting(HttpExchange::Ptr held)
        : exchange(std::move(held)), timer(exchange->loop(), [this] {
            say(*exchange, "waited\n");
            delete this;
          }) {
      exchange->listen(this);
      timer.arm(Deadline::after(std::chrono::milliseconds(500)));
    }
    void on_gone() override { delete this; }
    HttpExchange::Ptr exchange;
    Timer timer;
  };
};

// Sends body and trailers back as they come.
class Echo final : public HttpHandler {
 public:
  void handle(HttpExchange::Ptr exchange) override { new Echoing(std::move(exchange)); }

 private:
  struct Echoing final : ExchangeEvents {
    explicit Echoing(HttpExchange::Ptr held) : exchange(std::move(held)) {
      exchange->listen(this);
      if (exchange->begin_response(200, {}, exchange->request().content_length)) go_on();
    }
    void on_body_ready() override { go_on(); }
    void on_writable() override { go_on(); }
    void on_gone() override { delete this; }
    void go_on() {
      while (exchange->writable() > 0) {
        BytesView bytes = exchange->body();
        if (bytes.empty()) break;
        exchange->write(bytes);
        exchange->consume_body(bytes.size());
      }
      if (exchange->body_state() != BodyState::kEnd) return;
      exchange->finish_with_trailers(exchange->request_trailers());
      delete this;
    }
    HttpExchange::Ptr exchange;
  };
};

struct PerLoop {
  PerLoop(Loop& loop, Pool& pool, std::shared_ptr<const StaticFolder> folder, AccessLogFile& file,
          std::shared_ptr<const RouteTable> table)
      : log(loop, file),
        files(pool, std::move(folder), "/files/..."),
        router(std::move(table),
               {{"/hello", "hello", &hello},
                {"/echo", "echo", &echo},
                {"/wait", "wait", &wait},
                {"/files/...", "files", &files}},
               &log) {}

  AccessLog log;
  Hello hello;
  Echo echo;
  Wait wait;
  StaticHandler files;
  RouterHandler router;
};

HttpLimits limits_of(std::string_view speed) {
  HttpLimits limits;
  if (speed == "quick") {
    std::chrono::milliseconds quick(300);
    limits.tls_timeout = limits.head_timeout = limits.body_timeout = limits.write_timeout = quick;
  }
  return limits;
}

Result<void> serve(const std::vector<std::string>& words, const sigset_t& signals) {
  TRY_VOID(raise_open_files());
  TRY(std::shared_ptr<TlsContext> tls, TlsContext::load({words[1], words[2]}));
  TRY(std::shared_ptr<const StaticFolder> folder, StaticFolder::open(words[3]));
  TRY(std::unique_ptr<AccessLogFile> file, AccessLogFile::open(words[4]));
  std::vector<Route> routes = {
      {"", "/hello", {"GET"}}, {"", "/echo", {"POST"}}, {"", "/wait", {}}, {"", "/files/...", {}}};
  TRY(RouteTable made, RouteTable::make(routes));
  auto table = std::make_shared<const RouteTable>(std::move(made));
  Loops loops({.count = 2, .started = {}, .stopping = {}});
  Pool pool({.threads = 2});
  std::vector<std::unique_ptr<PerLoop>> parts(loops.size());
  loops.on_each([&](Loop& loop, std::size_t index) {
    parts[index] = std::make_unique<PerLoop>(loop, pool, folder, *file, table);
  });
  std::vector<HttpHandler*> handlers;
  for (const auto& each : parts) handlers.push_back(&each->router);
  TRY(auto server, HttpServer::listen(loops, handlers,
                                      {.addresses = {{}, {.address = "127.0.0.1", .tls = tls}},
                                       .limits = limits_of(words[5])}));
  std::printf("%s\n%s\n", server->url(0).c_str(), server->url(1).c_str());
  std::fflush(stdout);
  int signal = SIGHUP;
  while (signal == SIGHUP) {
    if (sigwait(&signals, &signal) != 0 || signal != SIGHUP) continue;
    Result<void> reloaded = tls->reload();
    std::printf("%s\n", reloaded ? "reloaded" : reloaded.error().message().c_str());
    std::fflush(stdout);
  }
  Result<void> drained = server->drain(Deadline::after(kDrainMax));
  server.reset();
  loops.on_each([&](Loop&, std::size_t index) { parts[index].reset(); });
  pool.stop();
  return drained;
}

}  // namespace
}  // namespace weft

int main(int count, char** arguments) {
  using namespace weft;
  std::vector<std::string> words(arguments, arguments + count);
  if (words.size() != 6) {
    log::error("wire", "usage: weft_wire_server CERTIFICATE KEY FOLDER LOG quick|slow");
    return 2;
  }
  sigset_t signals;
  sigemptyset(&signals);
  for (int each : {SIGHUP, SIGTERM, SIGINT}) sigaddset(&signals, each);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  if (Result<void> served = serve(words, signals); !served) {
    log::error("wire", served.error().message());
    return 1;
  }
  return 0;
}
