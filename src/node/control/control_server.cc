#include "node/control/control_server.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>

#include "base/deadline.h"
#include "base/log.h"
#include "io/blocking.h"
#include "io/gate.h"
#include "io/http/server.h"
#include "io/pool.h"
#include "node/control/answers.h"
#include "node/control/events_stream.h"
#include "node/wire/serving.h"

namespace weft::node::control {
namespace {

constexpr std::string_view kJson = "application/json";
// What is done for who asks here: it compiles libraries and waits for changes under way, and the
// node's own threads are for the network.
constexpr std::size_t kControlThreads = 4;
constexpr std::chrono::seconds kBodyMax{30};
// From a stop to the last answers.
constexpr std::chrono::seconds kAnswersOutMax{1};
// And from there until nobody works for one any more.
constexpr std::chrono::seconds kEndUsual{10};

// "/groups/friends/keys/alice?write=1": its path's parts, and what is behind the question mark.
struct Target {
  std::vector<std::string_view> parts;
  std::string_view query;

  static Target of(std::string_view path) {
    Target target;
    if (std::size_t mark = path.find('?'); mark != std::string_view::npos) {
      target.query = path.substr(mark + 1);
      path = path.substr(0, mark);
    }
    while (path.starts_with('/')) {
      path.remove_prefix(1);
      std::size_t end = std::min(path.find('/'), path.size());
      target.parts.push_back(path.substr(0, end));
      path.remove_prefix(end);
    }
    return target;
  }
  bool is(std::initializer_list<std::string_view> wanted) const {
    return std::ranges::equal(parts, wanted, [](std::string_view part, std::string_view want) {
      return want == "*" || part == want;
    });
  }
};

std::uint64_t from_of(std::string_view query) {
  std::uint64_t from = 0;
  if (query.starts_with("from=")) {
    query.remove_prefix(5);
    std::from_chars(query.data(), query.data() + query.size(), from);
  }
  return from;
}

}  // namespace

// What each path asks for, and which verb that is.
class ControlHandler final : public HttpHandler {
 public:
  ControlHandler(Loop& loop, Pool& pool, daemon::Node& node, ControlServer::Options options)
      : loop_(loop), pool_(pool), node_(node), options_(std::move(options)) {}

  void handle(HttpExchange::Ptr exchange) override {
    if (auto pass = gate_.enter()) {
      loop_.spawn(serve(std::move(exchange), *std::move(pass)), [](Result<void>) {});
    }
  }
  Gate& gate() { return gate_; }

 private:
  // The verb, and what is done; absent: there is no such path.
  struct Route {
    Verb verb;
    std::function<Result<std::string>(const Target&, const std::string& body)> act;
  };

  // What is only told.
  template <class Text>
  static Route look(Text text) {
    return Route{Verb::kLook, [text](const Target&, const std::string&) -> Result<std::string> {
                   return text();
                 }};
  }
  // What is done, and says no more than that.
  template <class Work>
  static Route act(Verb verb, Work work) {
    return Route{verb, [work](const Target& at, const std::string& body) -> Result<std::string> {
                   TRY_VOID(work(at, body));
                   return std::string("{\"done\":true}");
                 }};
  }

  std::optional<Route> route(std::string_view method, const Target& target) {
    if (method == "GET") return route_get(target);
    if (method == "POST") return route_post(target);
    if (method == "DELETE") return route_delete(target);
    return std::nullopt;
  }

  std::optional<Route> route_get(const Target& target) {
    if (target.is({"status"})) return look([this] { return status_json(node_.status()); });
    if (target.is({"runs"})) return look([this] { return runs_json(node_.running()); });
    if (target.is({"neighbours"})) return look([this] { return neighbours_json(node_); });
    if (target.is({"libraries"})) return look([this] { return libraries_json(node_); });
    return std::nullopt;
  }

  std::optional<Route> route_post(const Target& target) {
    if (target.is({"drain"})) {
      return act(Verb::kDrain, [this](auto&, auto&) -> Result<void> {
        node_.drain();
        return {};
      });
    }
    if (target.is({"undrain"})) {
      return act(Verb::kDrain, [this](auto&, auto&) -> Result<void> {
        node_.undrain();
        return {};
      });
    }
    if (target.is({"stop"})) {
      return act(Verb::kStop, [this](auto&, auto&) -> Result<void> {
        options_.stop();
        return {};
      });
    }
    if (target.is({"reload"})) {
      return Route{Verb::kChange,
                   [this](const Target&, const std::string&) { return reload(node_); }};
    }
    if (target.is({"settings"})) {
      return Route{Verb::kChange, [this](const Target& at, const std::string& body) {
                     return apply_settings(node_, body, at.query == "write=1");
                   }};
    }
    if (target.is({"libraries"})) {
      return Route{Verb::kChange, [this](const Target&, const std::string& body) {
                     return add_library(node_, body);
                   }};
    }
    if (target.is({"groups", "*", "keys", "*"})) {
      return act(Verb::kTrust, [this](const Target& at, const std::string& body) {
        return trust(node_, at.parts[1], at.parts[3], body);
      });
    }
    return std::nullopt;
  }

  std::optional<Route> route_delete(const Target& target) {
    if (target.is({"runs", "*"})) {
      return act(Verb::kStop, [this](const Target& at, const std::string&) -> Result<void> {
        TRY(Hash run, Hash::parse(at.parts[1]));
        return node_.cancel(run);
      });
    }
    if (target.is({"libraries", "*"})) {
      return act(Verb::kChange, [this](const Target& at, const std::string&) {
        return remove_library(node_, at.parts[1]);
      });
    }
    if (target.is({"groups", "*", "keys", "*"})) {
      return act(Verb::kTrust, [this](const Target& at, const std::string&) {
        return distrust(node_, at.parts[1], at.parts[3]);
      });
    }
    return std::nullopt;
  }

  Task<void> serve(HttpExchange::Ptr exchange, Gate::Pass pass) {
    wire::Serving serving(loop_, std::move(exchange));
    const RequestHead& head = serving.exchange().request();
    Target target = Target::of(head.path);
    Asker who = Asker::parse(serving.exchange().peer());
    bool events = head.method == "GET" && target.is({"events"});
    auto found = events ? Route{Verb::kLook, {}} : route(head.method, target);
    if (!found) {
      serving.refuse({404, "not-found", "no such thing here: see the README of src/node/control"});
      co_return Result<void>();
    }
    // Who belongs to a group may be another machine's to say.
    CO_TRY(bool allowed, co_await blocking(pool_, loop_, [&]() -> Result<bool> {
             return may(options_.permits, found->verb, who);
           }));
    if (!allowed) {
      serving.refuse({403, "denied",
                      fmt::format("user {} may not {}: name it under [control] {} of node.toml",
                                  who.uid, to_string(found->verb), to_string(found->verb))});
      co_return Result<void>();
    }
    if (events) co_return co_await send_events(serving, loop_, node_, from_of(target.query));
    Bytes body;
    CO_TRY(bool fits, co_await serving.read_all(body, kControlBytesMax, Deadline::after(kBodyMax)));
    if (!fits) {
      serving.refuse({413, "limit", "that is more than any setting has"});
      co_return Result<void>();
    }
    auto done = co_await blocking(
        pool_, loop_,
        [&found, &target, text = std::string(as_text(body))] { return found->act(target, text); });
    if (found->verb != Verb::kLook) {
      log::info("node", "asked at the control socket",
                {{"what", fmt::format("{} {}", head.method, head.path)},
                 {"user", std::to_string(who.uid)},
                 {"done", done ? "yes" : done.error().message()}});
    }
    if (done) {
      serving.answer(200, kJson, as_bytes(*done));
    } else {
      serving.refuse(done.error());
    }
    co_return Result<void>();
  }

  Loop& loop_;
  Pool& pool_;
  daemon::Node& node_;
  const ControlServer::Options options_;
  Gate gate_;
};

struct ControlServer::Impl {
  Impl()
      : loops({.count = 1, .started = {}, .stopping = {}}),
        pool({.threads = kControlThreads, .waiting_max = kControlConnectionsMax}) {}
  Loops loops;
  Pool pool;
  std::unique_ptr<ControlHandler> handler;
  std::unique_ptr<HttpServer> server;
};

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<ControlServer>> ControlServer::start(daemon::Node& node, Options options) {
  auto impl = std::make_unique<Impl>();
  std::string path = options.path;
  for (const std::string& name : unknown_of(options.permits)) {
    log::warn("node", "[control] of node.toml names somebody whom this machine does not know",
              {{"name", name}});
  }
  impl->loops.on_each([&](Loop& loop, std::size_t) {
    impl->handler = std::make_unique<ControlHandler>(loop, impl->pool, node, std::move(options));
  });
  HttpLimits limits;
  limits.connections_max = kControlConnectionsMax;
  limits.body_bytes_max = kControlBytesMax + 1;
  HttpHandler* handlers[] = {impl->handler.get()};
  auto server =
      HttpServer::listen(impl->loops, handlers, {.addresses = {{.path = path}}, .limits = limits});
  if (!server) {
    impl->loops.on_each([&](Loop&, std::size_t) { impl->handler.reset(); });
    return std::unexpected(std::move(server).error().within("the control socket"));
  }
  impl->server = *std::move(server);
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

// Whoever asked for the stop is answered before the socket goes; who follows events is not waited
// for any longer.
ControlServer::~ControlServer() {
  static_cast<void>(impl_->server->drain(Deadline::after(kAnswersOutMax)));
  impl_->server.reset();
  // What it does for somebody, compiling a library perhaps, uses the node and comes back to its
  // loop.
  for (;;) {
    auto left = impl_->handler->gate().close_and_wait(Deadline::after(kEndUsual));
    if (left) break;
    log::warn("node", left.error().message(), {{"what", "the node waits for it, to end"}});
  }
  impl_->loops.on_each([this](Loop&, std::size_t) { impl_->handler.reset(); });
}

}  // namespace weft::node::control
