#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/deadline.h"
#include "base/secret.h"
#include "io/timer.h"
#include "remote/breaker.h"
#include "remote/connection.h"
#include "remote/health.h"
#include "remote/nats/protocol.h"

namespace weft::remote::nats {

// Requests of one loop that wait for the server to be there, and their bytes.
inline constexpr std::size_t kWaitingMax = 131'072;
inline constexpr std::size_t kWaitingBytesMax = 256UL << 20;
// Requests that were sent and are not answered.
inline constexpr std::size_t kSentMax = 16'384;
// Of the answers to fetches that are under way, were each as large as the server allows and in
// base64. It closes a connection for which 64 MiB wait, and counts what it is about to write twice.
inline constexpr std::size_t kReadBytesMax = 24UL << 20;
inline constexpr std::size_t kSubscriptionsMax = 10'000;
// Of a subject. A server takes lines of 4,096 bytes unless told otherwise.
inline constexpr std::size_t kSubjectBytesMax = 3'600;
// How long an answer is waited for where the caller waits longer.
inline constexpr std::chrono::seconds kAnswerMax{60};
// What may be sent again is, for so long after it was sent first: servers know it again that long.
inline constexpr std::chrono::seconds kRepeatWithin{8};
// A server that owes nothing is asked so often whether it is there, while it may send something.
inline constexpr std::chrono::seconds kPingEvery{30};

struct Settings {
  std::vector<Endpoint> endpoints = {};  // One cluster's, tried in turn; without TLS of their own.
  // Whom to trust where the server wants TLS; null: the server may not want it.
  std::shared_ptr<const TlsClient> tls = nullptr;
  bool tls_needed = false;  // Nothing is said to a server that does not want it.
  std::string user = {};
  Secret password = {};
  Secret token = {};
  Secret seed = {};  // An nkey's, or that of the user of `jwt`.
  Secret jwt = {};
  // A server that owes an answer and sends nothing for so long is given up.
  std::chrono::milliseconds silence{5'000};
  // Shared by the clients of all loops, and who shows it. Null: nobody does.
  std::shared_ptr<Health> health = nullptr;
};

// What is published.
struct Outgoing {
  std::string subject;
  HeaderFields headers = {};  // Without line ends in them.
  Bytes payload = {};
};

// What came.
struct Message {
  std::string subject;
  std::string reply;
  Headers headers;
  Bytes payload;
};

// A loop's connection to one NATS server out of those of a cluster. Everything of all guests on the
// loop goes over it, one behind the other without waiting. When it breaks it is made again, at once
// where somebody subscribes, else as soon as somebody asks.
//
// Shared by those who use it on the loop. On its loop's thread.
class Client : private ConnectionOwner, public std::enable_shared_from_this<Client> {
 public:
  using Done = std::move_only_function<void(Result<Message>)>;
  // Given each answer; true: more are to come.
  using Each = std::move_only_function<bool(Message)>;
  using OnMessage = std::function<void(Message)>;
  // Whether a request may be published again where the connection broke before the answer came:
  // never; always, because it changes nothing; likewise, and its answer may be as large as any
  // message, so that only some of those are under way; or where the same server is there again,
  // which knows it by its Nats-Msg-Id.
  enum class Repeat : std::uint8_t { kNo, kRead, kFetch, kKnown };

  // `settings` are shared with the other loops' clients.
  Client(Loop& loop, std::shared_ptr<const Settings> settings);
  ~Client() override;

  // Publishes it and gives `done` the answer. Where nobody listens that is a message with status
  // 503. `done` is called later, never inside this call, and not at all when the client goes first.
  void request(Outgoing message, Deadline deadline, Repeat repeat, Done done);
  // The same for what is answered by several messages: `each` is called from the client for each,
  // `done` with the last one. Is never published again.
  void request(Outgoing message, Deadline deadline, Each each, Done done);
  // Publishes it where there is a connection; nobody is told what becomes of it.
  void publish(Outgoing message, std::string_view reply = {});
  // Publishes it and says when the server has it: it answers a PING that goes behind it, and behind
  // whatever else is published with it. Is never published again. `reply` is a subject or empty.
  // `done` is called as that of `request`.
  void publish(Outgoing message, std::string reply, Deadline deadline,
               std::move_only_function<void(Result<void>)> done);
  // Says whether the server is there and lets us in, by a PING alone.
  void reach(Deadline deadline, std::move_only_function<void(Result<void>)> done);

  // Messages to `subject`, wildcards included, until `unsubscribe`; with a queue's name each goes
  // to one of those who name it. Also after the connection was made again, without what came in
  // between. `on_message` is called from the client, and may subscribe and unsubscribe. kLimit when
  // there are too many.
  Result<std::uint64_t> subscribe(std::string_view subject, std::string_view queue,
                                  OnMessage on_message);
  void unsubscribe(std::uint64_t subscription);

  // Of a message: what the server said last, or its default before it said anything.
  std::size_t payload_max() const { return payload_max_; }
  Loop& loop() { return loop_; }

 private:
  static constexpr std::uint64_t kInboxSubscription = 1;
  enum class State : std::uint8_t { kDown, kConnecting, kInfo, kTls, kGreeting, kReady };
  struct Request;
  using Requests = std::list<Request>;
  struct Subscription {
    std::string subject;
    std::string queue;
    std::shared_ptr<OnMessage> on_message;  // Shared with the call of it that runs.
  };

  void connected() override;
  Result<std::size_t> received(BytesView bytes) override;
  void broken(Error error) override;

  Requests::iterator make(Outgoing message, Deadline deadline, Done done);
  void add(Outgoing message, Deadline deadline, Repeat repeat, Each each, Done done);
  void start();
  void ping();
  void ping_behind();
  void ponged();
  Result<void> taken(ServerOp op);
  Result<void> on_info(std::string_view text);
  Result<void> on_error(std::string_view text);
  Result<void> on_message(ServerOp op);
  Result<void> answer(std::uint64_t number, Message message);
  void answered(Requests::iterator request);
  Result<std::string> connect_options();
  Result<void> greet();
  void connect();
  void write(const Outgoing& message, std::string_view reply);
  void write_subscription(std::uint64_t id, const Subscription& subscription);
  void send(Requests::iterator request);
  void send_waiting();
  bool may_send(const Request& request) const;
  void fail_waiting();
  void late(Requests::iterator request);
  void finish(Done done, Result<Message> result);
  void watch();
  void silent();
  bool may_repeat(const Request& request) const;
  void drop_doubtful();
  static std::string_view doubt(const Request& request);
  Error unavailable() const;

  Loop& loop_;
  const std::shared_ptr<const Settings> settings_;
  const std::shared_ptr<Health> health_;  // Shared likewise.
  std::size_t endpoint_ = 0;              // The one that is tried, of those of the settings.
  State state_ = State::kDown;
  // Shared with the operations of asio that are under way on it.
  std::shared_ptr<Connection> connection_;
  Breaker breaker_;
  Breaker::Time began_{};         // When the connection was asked for.
  std::optional<Error> problem_;  // Since the server was there last.
  OpParser parser_;
  std::string nonce_;   // Of this connection, to be signed.
  std::string server_;  // The process that was there last, by the name that it gave itself.
  std::size_t payload_max_ = 1UL << 20;
  std::string inbox_;  // Before the number of a request, where its answer goes.
  std::uint64_t next_ = 1;
  Requests waiting_;
  std::size_t waiting_bytes_ = 0;
  Requests sent_;
  std::size_t fetches_sent_ = 0;                                     // Of them.
  std::unordered_map<std::uint64_t, Requests::iterator> by_number_;  // Those in sent_.
  // The requests in sent_ that have several answers, by their own subscriptions.
  std::unordered_map<std::uint64_t, std::uint64_t> many_;
  // Those in sent_ that a PONG answers, in their order; and for each PING that is owed one, the
  // number of the last request before it.
  std::deque<std::uint64_t> published_;
  std::deque<std::uint64_t> pings_;
  bool ping_planned_ = false;
  std::map<std::uint64_t, Subscription> subscriptions_;
  std::uint64_t next_subscription_ = kInboxSubscription + 1;
  Timer retry_;
  Timer silence_;
  std::size_t unsent_ = 0;  // When silence_ fired last.
  bool pinged_ = false;     // And whether it asked then.
};

}  // namespace weft::remote::nats
