#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "connection.h"
#include "io/timer.h"
#include "weft/provider.h"

namespace weft::provider {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

// Work that goes on after its call was given up has so long to end when the process stops.
constexpr std::chrono::seconds kUnwindMax{2};
constexpr std::chrono::milliseconds kLookAgain{10};

class SetupOf : public Setup {
 public:
  SetupOf(SetupMessage message, Loop& loop, Pool& pool)
      : message_(std::move(message)), loop_(loop), pool_(pool) {
    boost::system::error_code ignored;
    values_ = json::parse(message_.configuration_json, ignored);
  }

  const std::string& app() const override { return message_.app; }
  const std::string& name() const override { return message_.name; }
  const std::string& configuration() const override { return message_.configuration_json; }
  std::optional<std::string> text(std::string_view key) const override {
    const json::value* value = find(key);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string(value->get_string());
  }
  std::optional<double> number(std::string_view key) const override {
    const json::value* value = find(key);
    if (value == nullptr || !value->is_number()) return std::nullopt;
    return value->to_number<double>();
  }
  std::optional<bool> flag(std::string_view key) const override {
    const json::value* value = find(key);
    if (value == nullptr || !value->is_bool()) return std::nullopt;
    return value->get_bool();
  }
  const Secret* secret(std::string_view name) const override {
    for (const auto& [each, secret] : message_.secrets) {
      if (each == name) return &secret;
    }
    return nullptr;
  }
  Loop& loop() override { return loop_; }
  Pool& pool() override { return pool_; }

 private:
  const json::value* find(std::string_view key) const {
    return values_.is_object() ? values_.get_object().if_contains(key) : nullptr;
  }

  SetupMessage message_;
  json::value values_;
  Loop& loop_;
  Pool& pool_;
};

class Server : public ConnectionOwner {
 public:
  using Make = std::function<Result<Interfaces>(Setup&)>;

  Server(std::string token, Make make)
      : token_(std::move(token)),
        make_(std::move(make)),
        pool_({.threads = std::max(2U, std::thread::hardware_concurrency())}),
        acceptor_(loop_.context()),
        signals_(loop_.context(), SIGTERM, SIGINT),
        unwinding_(loop_, [this] { unwind(); }) {}

  Result<void> listen(const std::string& path) {
    boost::system::error_code error;
    asio::local::stream_protocol::endpoint endpoint;
    try {
      endpoint = asio::local::stream_protocol::endpoint(path);
    } catch (const std::exception&) {
      return failure(Errc::kInvalid, fmt::format("{} is too long for a socket", path));
    }
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) return failure(Errc::kIo, fmt::format("listening on {}: {}", path, error.message()));
    return {};
  }

  void run() {
    accept();
    signals_.async_wait([this](const boost::system::error_code& error, int) {
      Loop::Turn turn(loop_);
      if (!error) stop();
    });
    loop_.run();
  }

  // What still works on a call cannot be destroyed in order.
  bool unwound() const { return calls_.live() == 0; }

  Loop& loop() override { return loop_; }
  CallPool& calls() override { return calls_; }
  const std::string& token() const override { return token_; }
  std::vector<ServedFunction>& functions() override { return functions_; }
  std::string_view app() const override { return setup_->app(); }
  std::string_view name() const override { return setup_->name(); }

  Result<std::string> set_up(SetupMessage message) override {
    if (setup_ == nullptr) {
      setup_ = std::make_unique<SetupOf>(std::move(message), loop_, pool_);
      answer_ = make();
    }
    return answer_;
  }

  void ended(Connection& connection) override {
    loop_.defer([this, &connection] {
      std::erase_if(connections_, [&](const auto& each) { return each.get() == &connection; });
      // Nobody is there any more: weft has gone without a word.
      if (connections_.empty()) stop();
    });
  }

 private:
  void accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, auto socket) {
      Loop::Turn turn(loop_);
      if (stopping_ || error == asio::error::operation_aborted) return;
      if (!error) admit(Fd(socket.release()));
      accept();
    });
  }

  // Only who this process belongs to may speak to it.
  void admit(Fd socket) {
    ucred peer{};
    socklen_t size = sizeof(peer);
    bool known = getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
    if (!known || (peer.uid != geteuid() && peer.uid != 0)) return;
    connections_.push_back(std::make_unique<Connection>(*this, std::move(socket)));
  }

  Result<std::string> make() {
    try {
      TRY(interfaces_, make_(*setup_));
    } catch (const std::exception& exception) {
      return failure(Errc::kInternal, exception.what());
    }
    Offer offer;
    for (Interfaces::Item& item : interfaces_.items()) {
      OfferedInterface interface{.name = std::string(item.name), .functions = {}};
      for (std::size_t i = 0; i < item.functions.size(); ++i) {
        Function function = make_function(item.name, item.functions, i);
        TRY(Signature signature, parse_signature(function.signature));
        interface.functions.push_back({function.name, function.signature});
        functions_.push_back(
            {std::make_unique<Link>(std::move(function), *item.binding), std::move(signature)});
      }
      offer.push_back(std::move(interface));
    }
    return ready_text(offer);
  }

  // Calls are cancelled; their work is given some time to unwind.
  void stop() {
    if (std::exchange(stopping_, true)) return;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    signals_.cancel(ignored);
    connections_.clear();
    give_up_ = Deadline::after(kUnwindMax);
    unwind();
  }
  void unwind() {
    if (unwound() || give_up_.passed()) return loop_.stop();
    unwinding_.arm(Deadline::after(kLookAgain));
  }

  const std::string token_;
  Make make_;
  Loop loop_;
  CallPool calls_;
  std::unique_ptr<SetupOf> setup_;
  Interfaces interfaces_;
  std::vector<ServedFunction> functions_;
  Result<std::string> answer_;
  // Before what its work uses; its answers go to the loop.
  Pool pool_;
  asio::local::stream_protocol::acceptor acceptor_;
  asio::signal_set signals_;
  std::vector<std::unique_ptr<Connection>> connections_;
  bool stopping_ = false;
  Deadline give_up_ = Deadline::never();
  Timer unwinding_;
};

}  // namespace

int serve(int argc, char** argv, std::function<Result<Interfaces>(Setup&)> make) {
  const char* program = argc > 0 ? argv[0] : "this program";
  const char* socket = std::getenv(kSocketVariable);
  const char* token = std::getenv(kTokenVariable);
  if (socket == nullptr || token == nullptr) {
    fmt::print(stderr,
               "{} is a provider: weft starts it, for an app that names it. By itself it does "
               "nothing ({} is not set).\n",
               program, kSocketVariable);
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  auto server = std::make_unique<Server>(token, std::move(make));
  // What this process starts is no provider.
  unsetenv(kTokenVariable);
  if (Result<void> listens = server->listen(socket); !listens) {
    fmt::print(stderr, "{}: {}\n", program, listens.error().message());
    return 1;
  }
  server->run();
  if (!server->unwound()) std::_Exit(0);
  return 0;
}

}  // namespace weft::provider
