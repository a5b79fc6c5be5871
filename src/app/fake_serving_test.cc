// Shows a whole host but for WebAssembly under load, for the thread sanitizer: HTTP on two loops,
// fake guests that are woken from other threads, key-value buckets on both drivers, clients that
// come and go, and a drain in the middle.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

#include "app/plan.h"
#include "capabilities/keyvalue/keyvalue.h"
#include "capabilities/test_folder.h"
#include "engine/http_calls.h"
#include "io/http/test_support.h"
#include "triggers/http/access_log.h"

namespace weft {
namespace {

constexpr std::string_view kStore = "wasi:keyvalue/store@0.2.0-draft";
constexpr std::string_view kAtomics = "wasi:keyvalue/atomics@0.2.0-draft";
constexpr int kClients = 6;
constexpr int kRequests = 150;

// A line of a program that imports a function as the capability offers it.
std::string import_line(Capability& capability, std::string_view interface, std::string_view name) {
  for (const Offer& offer : capability.offers()) {
    if (offer.interface != interface) continue;
    for (const FunctionInfo& function : offer.functions) {
      if (function.name == name) {
        return fmt::format("import {} {} {}\n", interface, name, function.signature);
      }
    }
  }
  ADD_FAILURE() << name << " is not offered";
  return {};
}

// Opens the default bucket, counts a key up, sets and gets another, with a pause between.
std::string counting_program() {
  keyvalue::KeyvalueCapability capability(keyvalue::memory_backend());
  std::string text = "http\n";
  text += import_line(capability, kStore, "open");
  text += import_line(capability, kStore, "[method]bucket.set");
  text += import_line(capability, kStore, "[method]bucket.get");
  text += import_line(capability, kAtomics, "increment");
  text +=
      "call 0 00\nkeep\n"
      "call 3 @ 01 6e 01\n"
      "pause\n"
      "call 1 @ 01 6b 03 61 62 63\n"
      "call 2 @ 01 6b\n"
      "drop\npause\n";
  return text;
}

struct ServingLoop final : HttpHandler {
  ServingLoop(Runtime& runtime, Loop& loop, const Plan& plan, AccessLogFile& file)
      : engine(runtime, loop),
        others({}, engine),
        deployment(plan.deploy(engine, others, nullptr)),
        log(loop, file),
        calls(HttpCalls::make(*deployment, plan.info().kind)) {}

  void handle(HttpExchange::Ptr exchange) override { calls->handle(std::move(exchange)); }
  void on_complete(const ExchangeSummary& summary) override { log.add(summary); }

  EngineLoop engine;
  Deployments others;
  std::unique_ptr<Deployment> deployment;
  AccessLog log;
  std::unique_ptr<HttpCalls> calls;
};

// Two loops that serve one program.
class Host {
 public:
  explicit Host(const std::filesystem::path& folder)
      : capabilities_(embedded_capabilities({.state_folder = folder / "state"})),
        log_(*AccessLogFile::open((folder / "access.log").string())) {
    std::ofstream(folder / "program") << counting_program();
    runtime_ = *Runtime::create({});
    auto plan = Plan::make(*runtime_, capabilities_,
                           {.app = "app",
                            .name = "counter",
                            .file = (folder / "program").string(),
                            .limits = {},
                            .grants = {}});
    EXPECT_TRUE(plan) << (plan ? "" : plan.error().message());
    plan_ = *std::move(plan);
    serving_.resize(loops_.size());
    loops_.on_each([&](Loop& loop, std::size_t i) {
      serving_[i] = std::make_unique<ServingLoop>(*runtime_, loop, *plan_, *log_);
    });
    std::vector<HttpHandler*> handlers;
    for (const auto& each : serving_) handlers.push_back(each.get());
    auto made = HttpServer::listen(loops_, handlers, {});
    EXPECT_TRUE(made) << (made ? "" : made.error().message());
    server = *std::move(made);
  }
  ~Host() {
    server.reset();
    loops_.on_each([&](Loop&, std::size_t i) { serving_[i].reset(); });
    loops_.stop();
  }

 private:
  CapabilityTable capabilities_;
  std::unique_ptr<AccessLogFile> log_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<Plan> plan_;
  Loops loops_{{.count = 2, .started = {}, .stopping = {}}};
  std::vector<std::unique_ptr<ServingLoop>> serving_;

 public:
  std::unique_ptr<HttpServer> server;
};

// Every request is answered right, whichever loop it came to.
TEST(FakeServing, CountsUnderLoad) {
  TestFolder folder;
  Host host(folder.path());
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&, i] {
      std::optional<http_test::Client> client(*host.server);
      for (int n = 0; n < kRequests; ++n) {
        if (n % 40 == 39) client.emplace(*host.server);
        std::string body(static_cast<std::size_t>(i * n % 3000), 'b');
        http_test::Response response = client->request(fmt::format(
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{}", body.size(), body));
        // result<option<list<u8>>, error>: ok, some, three bytes.
        std::string expected = std::string("\0\1\3abc", 6) + body;
        if (response.status == 200 && response.body == expected) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, kClients * kRequests);
}

// Clients that leave in the middle, and a drain while others are served.
TEST(FakeServing, DrainsUnderLoad) {
  TestFolder folder;
  Host host(folder.path());
  std::atomic<bool> stop = false;
  std::atomic<int> served = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&, i] {
      while (!stop) {
        http_test::Client client(*host.server);
        for (int n = 0; n < 5 && !stop; ++n) {
          client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
          if (i % 2 == 1 && n == 3) break;
          if (client.read_response().status != 200) break;
          ++served;
        }
      }
    });
  }
  while (served < 300) std::this_thread::yield();
  stop = true;
  EXPECT_TRUE(host.server->drain(Deadline::after(http_test::kPatience)));
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace weft
