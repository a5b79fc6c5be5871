#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/secret.h"
#include "capabilities/keyvalue/drivers/redis/resp.h"
#include "io/timer.h"
#include "remote/breaker.h"
#include "remote/connection.h"
#include "remote/health.h"

namespace weft::keyvalue::redis {

// Requests of one loop that wait for the server to be there, and their bytes.
inline constexpr std::size_t kWaitingMax = 16'384;
inline constexpr std::size_t kWaitingBytesMax = 256UL << 20;
// Requests that were sent and are not answered.
inline constexpr std::size_t kSentMax = 65'536;

struct Settings {
  remote::Endpoint endpoint;
  std::string user;
  Secret password;
  unsigned database = 0;
  // A server that owes an answer and sends nothing for so long is given up.
  std::chrono::milliseconds silence{5'000};
  // Shared by the clients of all loops, and who shows it. The backend makes it.
  std::shared_ptr<remote::Health> health = nullptr;
};

// Commands that are sent together, as bytes.
class Commands {
 public:
  Commands() = default;
  // One command.
  explicit Commands(std::initializer_list<std::string_view> words) { add(words); }
  explicit Commands(const std::vector<std::string_view>& words) { add(words); }

  Commands& add(std::initializer_list<std::string_view> words);
  Commands& add(const std::vector<std::string_view>& words);

  BytesView bytes() const { return bytes_.view(); }
  unsigned count() const { return count_; }

 private:
  void head(std::size_t words);
  void word(std::string_view word);

  Buffer bytes_;
  unsigned count_ = 0;
};

// What the server says of an error, as one of ours.
Error error_of(std::string_view text);

// A loop's connection to one Redis server. Requests of all guests on the loop go over it, one
// behind the other without waiting. When it breaks it is made again as soon as somebody asks.
//
// Shared by the loop's stores and buckets. On its loop's thread.
class Client : private remote::ConnectionOwner, public std::enable_shared_from_this<Client> {
 public:
  using Done = std::move_only_function<void(Result<Reply>)>;
  enum class Repeat : bool { kNo, kYes };

  // `settings` are shared with the other loops' clients.
  Client(Loop& loop, std::shared_ptr<const Settings> settings);
  ~Client() override;

  // Sends the commands, one behind the other and nothing in between, and gives `done` the last
  // reply, or the first error among them. `repeat`: they may be sent again where the connection
  // broke before the answer came. `done` is called later, never inside this call, and not at all
  // when the client goes first.
  void send(Commands commands, Deadline deadline, Repeat repeat, Done done);

 private:
  enum class State : std::uint8_t { kDown, kConnecting, kGreeting, kReady };
  struct Request;
  using Requests = std::list<Request>;

  void connected() override;
  Result<std::size_t> received(BytesView bytes) override;
  void broken(Error error) override;

  Result<void> reply(Reply reply);
  Result<void> greeted(Reply reply);
  void connect();
  void write(Requests::iterator request);
  void send_waiting();
  void fail_waiting();
  void late(Requests::iterator request);
  void finish(Done done, Result<Reply> result);
  Error unavailable() const;

  Loop& loop_;
  const std::shared_ptr<const Settings> settings_;
  State state_ = State::kDown;
  // Shared with the operations of asio that are under way on it.
  std::shared_ptr<remote::Connection> connection_;
  remote::Breaker breaker_;
  remote::Breaker::Time began_{};  // When the connection was asked for.
  std::optional<Error> problem_;   // Since the server was there last.
  ReplyParser parser_;
  unsigned greetings_ = 0;  // Replies to the greeting that are to come.
  Requests waiting_;
  std::size_t waiting_bytes_ = 0;
  Requests sent_;
  Timer retry_;
  Timer silence_;
  std::size_t unsent_ = 0;  // When silence_ fired last.
};

}  // namespace weft::keyvalue::redis
