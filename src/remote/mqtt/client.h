#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/secret.h"
#include "io/timer.h"
#include "remote/breaker.h"
#include "remote/connection.h"
#include "remote/health.h"
#include "remote/mqtt/packet.h"

namespace weft::remote::mqtt {

// Messages of one client that wait to be sent, and their bytes; and those that are not answered,
// where the server does not say less.
inline constexpr std::size_t kWaitingMax = 65'536;
inline constexpr std::size_t kWaitingBytesMax = 64UL << 20;
inline constexpr std::uint16_t kSentMax = 1'024;
// When nothing was written for so long, or for half of what the server bears, it is pinged: it
// would give the client up, whatever it brings itself.
inline constexpr std::chrono::seconds kPingEvery{15};
// How often a message is sent that is the first without an answer each time a connection breaks:
// it may be what the server breaks it for.
inline constexpr unsigned kSendsMax = 5;
// A connection that lived for so long is a good one, as is one by which a message was answered:
// only then pauses begin at the shortest again.
inline constexpr std::chrono::seconds kProvenAfter{5};
// Before the next attempt, when another client of the same name has come.
inline constexpr std::chrono::seconds kTakenOverPause{5};

struct Settings {
  Endpoint endpoint;
  std::string user = {};
  Secret password = {};
  // A server that owes an answer and sends nothing for so long is given up.
  std::chrono::milliseconds silence{5'000};
  // Shared by all clients, and who shows it. Null: nobody does.
  std::shared_ptr<Health> health = nullptr;
};

// As who a client comes.
struct Session {
  std::string client_id;           // Empty: the server gives it one.
  std::uint32_t expiry = 0;        // Seconds that the server keeps it after the connection's end.
  std::uint16_t at_once = 65'535;  // Messages that the server sends and that are not acknowledged.
};

// What came, and by what it is acknowledged: not at all with QoS 0.
struct Incoming {
  Publish message;
  std::uint64_t connection = 0;
};

// One connection to an MQTT server, which is made again when it breaks. On its loop's thread;
// shared by those who use it.
class Client : private ConnectionOwner, public std::enable_shared_from_this<Client> {
 public:
  using Done = std::move_only_function<void(Result<void>)>;
  using OnMessage = std::function<void(Incoming)>;

  Client(Loop& loop, std::shared_ptr<const Settings> settings, Session session);
  ~Client() override;

  // Answered when the server has it, in the way of its quality of service; with QoS 0 when it has
  // left. One that is not answered when the connection breaks is sent again, within its deadline.
  // `done` is called later, never inside this call, and not at all when the client goes first.
  void publish(Publish message, Deadline deadline, Done done);
  // Says whether the server is there and lets us in.
  void reach(Deadline deadline, Done done);
  // What there is to listen to, once in the life of the client. `subscribed` is called at each
  // answer of the server's. Both from the client.
  void listen(std::string filter, std::uint8_t qos, OnMessage on_message,
              std::function<void(Result<void>)> subscribed, Kept kept = Kept::kUnwanted);
  // `forgotten` is called at each greeting of a server that knows nothing of the session before:
  // what it brought comes by no such number again. From the client.
  void on_new_session(std::function<void()> forgotten) { forgotten_ = std::move(forgotten); }
  // There is no room for this message now: it comes again after `go_on`, with what is behind it,
  // and until then nothing more is read, so that the server has to wait. It is pinged, and what is
  // acknowledged leaves; what is published here has its answer late. Inside `on_message` only.
  void hold();
  void go_on();
  // A message is done with. False: it came by a connection that is gone, and comes again.
  bool acknowledge(std::uint64_t connection, std::uint8_t qos, std::uint16_t id);
  // Ends the connection in the server's words; it keeps the session for as long as was said.
  void leave();

  Loop& loop() { return loop_; }

 private:
  enum class State : std::uint8_t { kDown, kConnecting, kGreeting, kReady };
  struct Request;
  using Requests = std::list<Request>;

  void connected() override;
  Result<std::size_t> received(BytesView bytes) override;
  void broken(Error error) override;

  void add(Publish message, Deadline deadline, Done done);
  void connect();
  Result<void> taken(Packet packet);
  Result<void> greeted(const Packet& packet);
  void answered(const Packet& packet);
  void send_waiting();
  void subscribe();
  std::uint16_t next_id();
  void finish(Requests& from, Requests::iterator request, Result<void> result);
  void fail_waiting();
  void late(Requests::iterator request);
  // Where bytes are written, which keeps the connection alive.
  Buffer& out();
  void watch();
  void silent();
  void keep_alive();
  Error unavailable() const;

  Loop& loop_;
  const std::shared_ptr<const Settings> settings_;
  const std::shared_ptr<Health> health_;  // Shared likewise.
  const Session session_;
  State state_ = State::kDown;
  // Shared with the operations of asio that are under way on it.
  std::shared_ptr<Connection> connection_;
  std::uint64_t connections_ = 0;  // So far: the number of this one.
  Breaker breaker_;
  Breaker::Time began_{};
  std::optional<Error> problem_;  // Since the server was there last.
  bool left_ = false;             // Nothing is made again.
  bool held_ = false;             // Nothing is read.
  Breaker::Time not_before_{};    // Of the next attempt.
  Breaker::Time wrote_{};         // Last.
  std::chrono::milliseconds ping_every_ = kPingEvery;
  std::uint8_t qos_most_ = 2;  // That the server knows.
  std::size_t sent_most_ = kSentMax;
  std::size_t packet_most_ = kPacketBytesMax;
  Requests waiting_;
  std::size_t waiting_bytes_ = 0;
  Requests sent_;
  std::map<std::uint16_t, Requests::iterator> by_id_;  // Those in sent_.
  std::uint16_t last_id_ = 0;
  std::string filter_;
  std::uint8_t qos_ = 1;
  Kept kept_ = Kept::kUnwanted;
  std::uint16_t subscribing_ = 0;  // The number of what is not answered yet.
  OnMessage on_message_;
  std::function<void(Result<void>)> subscribed_;
  std::function<void()> forgotten_;
  Timer retry_;
  Timer silence_;
  Timer alive_;
  Timer proven_;
  bool pinged_ = false;
};

}  // namespace weft::remote::mqtt
