#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/secret.h"
#include "io/timer.h"
#include "remote/amqp/channel.h"
#include "remote/breaker.h"
#include "remote/connection.h"
#include "remote/health.h"

namespace weft::remote::amqp {

// Of one connection, where the server does not say less.
inline constexpr std::uint16_t kChannelsMax = 1'024;
// Shorter would be the server's own turn of heartbeats.
inline constexpr std::chrono::milliseconds kSilenceMin{1'000};

struct Settings {
  Endpoint endpoint;
  std::string user = "guest";
  Secret password{"guest"};
  std::string vhost = "/";  // As `user`, of 255 bytes at most.
  // A server that owes an answer and sends nothing for so long is given up.
  std::chrono::milliseconds silence{5'000};
  // Shared by all clients, and who shows it. Null: nobody does.
  std::shared_ptr<Health> health = nullptr;
};

// One connection to a server of AMQP 0-9-1, which is made again when it breaks and somebody has a
// channel. On its loop's thread; shared by those who use it.
class Client : private ConnectionOwner, public std::enable_shared_from_this<Client> {
 public:
  using Done = std::move_only_function<void(Result<void>)>;

  // The name is for the server's operators.
  Client(Loop& loop, std::shared_ptr<const Settings> settings, std::string name);
  ~Client() override;

  // One that is opened with each connection.
  std::shared_ptr<Channel> channel(ChannelOwner& owner);
  // Says whether the server is there, lets us in, and has the virtual host. `done` is called later.
  void reach(Deadline deadline, Done done);
  // Ends the connection in the server's words; nothing is made again.
  void leave();

  Loop& loop() { return loop_; }
  Health& health() { return *health_; }
  // Why nothing is sent now and nobody waits: the server is gone, or takes no messages. Tries to
  // make a connection where it is time to.
  std::optional<Error> unavailable();
  bool blocked() const { return blocked_.has_value(); }
  bool congested() const { return connection_ == nullptr || connection_->congested(); }
  std::size_t frame_most() const { return frame_most_; }
  // Something is owed by the server from now on, or is not any more; a channel says so.
  void watch();
  // Of all that channels have under way without an answer, besides their methods.
  void owed(std::ptrdiff_t more) { unconfirmed_ += more; }
  // The server has answered: it is well.
  void proven() { breaker_.succeeded(); }

 private:
  friend class Channel;
  enum class State : std::uint8_t { kDown, kConnecting, kStarting, kTuning, kOpening, kReady };
  struct Reaching;

  void connected() override;
  Result<std::size_t> received(BytesView bytes) override;
  void broken(Error error) override;

  void connect();
  Result<void> taken(const Frame& frame);
  Result<void> connection_method(const Method& method);
  Result<void> start(const Method& method);
  void tune(const Method& method);
  void ready();
  void open_channels();
  std::vector<std::shared_ptr<Channel>> channels();
  void forget(Channel& channel);
  // Frames of it mean nothing any more, until the server has closed it too.
  void closing(Number number);
  Buffer& out();
  void keep_alive();
  void check_silence();
  bool owes() const;
  Error closed_by_server(const Method& method) const;
  void reached(Result<void> how);

  Loop& loop_;
  const std::shared_ptr<const Settings> settings_;
  const std::shared_ptr<Health> health_;  // Shared likewise.
  const std::string name_;
  const std::chrono::milliseconds silence_most_;
  State state_ = State::kDown;
  // Shared with the operations of asio that are under way on it.
  std::shared_ptr<Connection> connection_;
  Buffer nowhere_;  // What is written when there is none.
  Breaker breaker_;
  Breaker::Time began_{};
  std::optional<Error> problem_;  // Since the server was there last.
  bool left_ = false;
  std::vector<Channel*> attached_;
  std::map<Number, Channel*> by_number_;
  std::set<Number> closing_;
  Number last_number_ = 0;
  Number number_most_ = kChannelsMax;
  std::size_t frame_most_ = kFrameBytesMax;
  std::optional<Error> blocked_;
  Breaker::Time blocked_since_{};
  std::ptrdiff_t unconfirmed_ = 0;
  std::list<Reaching> reaching_;
  std::chrono::milliseconds heartbeat_{};
  Breaker::Time wrote_{};
  Breaker::Time heard_{};
  Breaker::Time owed_since_{};
  bool owed_ = false;
  std::size_t unsent_ = 0;
  Timer retry_;
  Timer silence_;
  Timer alive_;
  Timer proven_;
};

}  // namespace weft::remote::amqp
