#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/secret.h"
#include "io/http_client/http_client.h"
#include "io/timer.h"
#include "remote/breaker.h"
#include "remote/health.h"

namespace weft::remote::etcd {

// Requests of one loop that wait for a turn or for the server to be there, and their bytes.
inline constexpr std::size_t kWaitingMax = 16'384;
inline constexpr std::size_t kWaitingBytesMax = 256UL << 20;
// Requests that are under way at once, each on a connection of its own.
inline constexpr std::size_t kAtOnceMax = 32;
// Of an answer, which has its bytes in base64.
inline constexpr std::size_t kAnswerBytesMax = 64UL << 20;

struct Settings {
  std::vector<std::string> servers = {};  // One cluster's, tried in turn: "http://HOST:PORT".
  std::string user = {};                  // Empty: nobody logs in.
  Secret password = {};
  std::string ca_file = {};  // Trusted beside the system's; empty: none.
  // A server that sends nothing for so long is given up.
  std::chrono::milliseconds timeout{5'000};
  // Shared by the clients of all loops, and who shows it. Null: nobody does.
  std::shared_ptr<Health> health = nullptr;
};

// How an operator says where a server is and who comes, whatever it is used for.
struct Access {
  Secret url = {};  // One or several with commas between them.
  std::string username = {};
  Secret password = {};
  std::string ca_file = {};
  std::chrono::milliseconds timeout{5'000};
};
// kInvalid, or what is wrong with the file. No message shows a secret.
Result<Settings> read_access(const Access& access);

// A loop's requests to one etcd cluster, in the JSON of its gateway.
//
// Shared by those who use it on the loop. On its loop's thread.
class Client : public std::enable_shared_from_this<Client> {
 public:
  using Done = std::move_only_function<void(Result<boost::json::object>)>;
  // Whether a request may be sent again where its answer did not come: it changes nothing.
  enum class Repeat : bool { kNo, kYes };

  // `settings` are shared with the other loops' clients.
  Client(Loop& loop, std::shared_ptr<const Settings> settings);
  Client(const Client&) = delete;
  ~Client();

  // Asks /v3/`path` and gives `done` the answer, or the error that etcd or the way to it gave.
  // Several requests are under way at once, in no order. `done` is called later, never inside this
  // call, and not at all when the client goes first.
  void ask(std::string_view path, std::string body, Deadline deadline, Repeat repeat, Done done);

  Loop& loop() { return loop_; }
  const Settings& settings() const { return *settings_; }

 private:
  class Exchange;
  friend class Watch;
  using Exchanges = std::list<std::unique_ptr<Exchange>>;

  void start_waiting();
  void start(Exchanges::iterator exchange);
  void authenticate();
  void authenticated(Result<boost::json::object> answer);
  void ended(Exchange& exchange, Result<boost::json::object> answer);
  void failed(Exchange& exchange, HttpProblem problem, const std::string& detail);
  void late(Exchange& exchange);
  void again(Exchanges::iterator exchange);
  void fail_waiting(const Error& error);
  void server_failed(Breaker::Time began, Error error);
  void finish(Done done, Result<boost::json::object> result);
  Exchanges::iterator find(Exchanges& among, const Exchange& exchange);
  std::string url(std::string_view path) const;
  HttpHeaders headers() const;

  Loop& loop_;
  const std::shared_ptr<const Settings> settings_;
  const std::shared_ptr<Health> health_;  // Shared likewise.
  HttpClient http_;
  Breaker breaker_;
  std::optional<Error> problem_;  // Since the server was there last.
  std::size_t server_ = 0;        // The one that is asked, of those of the settings.
  Secret token_;
  bool logging_in_ = false;
  bool scheduled_ = false;
  std::size_t waiting_bytes_ = 0;
  Timer retry_;
  Exchanges waiting_;
  Exchanges running_;
};

// What etcd's JSON has in text: a number, or bytes in base64. 0 and none where it is not there.
std::uint64_t number_in(const boost::json::object& object, std::string_view name);
Result<Bytes> bytes_in(const boost::json::object& object, std::string_view name);
const boost::json::object* object_in(const boost::json::object& object, std::string_view name);
const boost::json::array* array_in(const boost::json::object& object, std::string_view name);

// The first key behind all that begin with `prefix`; of the empty one: behind all there are.
std::string end_of_prefix(std::string prefix);

}  // namespace weft::remote::etcd
