#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "io/timer.h"
#include "remote/amqp/frame.h"
#include "remote/amqp/method.h"
#include "remote/breaker.h"

namespace weft::remote::amqp {

class Client;

// Of a message that comes: what is larger is skipped.
inline constexpr std::size_t kBodyBytesMax = 16UL << 20;
// Methods of a channel that wait for an answer, and how long the first of them does.
inline constexpr std::size_t kCallsMax = 256;
inline constexpr std::chrono::seconds kCallTime{30};
// A channel or connection that lived for so long is a good one: only then pauses begin at the
// shortest again.
inline constexpr std::chrono::seconds kProvenAfter{5};

// A message that came: of a consumer, out of a queue, or one that nobody takes.
struct Incoming {
  Method how = {};  // Its method: consumer, tag, exchange, routing key, why it came back.
  Properties properties = {};
  Bytes body = {};
  bool too_large = false;  // Its body is left out.
};

// Who uses a channel. Called inside the client: see the README.
class ChannelOwner {
 public:
  virtual ~ChannelOwner() = default;
  // It is open, anew: nothing of before is known there.
  virtual void opened() = 0;
  // The server closed it, or the connection broke or could not be made. It is opened again by
  // itself; until then nothing may be written.
  virtual void closed(const Error& error) = 0;
  virtual void came(Incoming /*message*/) {}
  virtual void came_back(Incoming /*message*/) {}
  // Of what is published: kAck or kNack, with its tag.
  virtual void confirmed(const Method& /*answer*/) {}
  // Its queue is gone.
  virtual void cancelled(const std::string& /*consumer*/) {}
  // Bytes came on the connection, so that there may be room to send again.
  virtual void may_send() {}
};

// One channel of a connection. On its loop's thread. Held by its owner, who lets it go before it
// goes itself, and by the client while it calls. What was not acknowledged on it then goes to
// others.
class Channel : public std::enable_shared_from_this<Channel> {
 public:
  // Inside the client, or, with an error, also when the channel ends first.
  using Done = std::move_only_function<void(Result<Method>)>;
  // The same, for what comes out of a queue: nothing where it is empty.
  using Got = std::move_only_function<void(Result<std::optional<Incoming>>)>;

  Channel(std::shared_ptr<Client> client, ChannelOwner& owner);
  Channel(const Channel&) = delete;
  ~Channel();

  bool open() const { return state_ == State::kOpen; }
  Client& client() { return *client_; }

  // Methods that are answered, one after the other: each is written when the one before has its
  // answer. Only while it is open.
  void declare(const ExchangeSpec& exchange, Done done);
  void declare(const QueueSpec& queue, Done done);
  void bind(const Binding& binding, Done done);
  void delete_exchange(std::string_view name, Done done);
  void delete_queue(std::string_view name, Done done);
  void prefetch(std::uint16_t count, Done done);
  void consume(const ConsumeSpec& consume, Done done);
  void cancel(std::string_view consumer, Done done);
  void select(Done done);  // Confirms, from now on.
  void get(std::string_view queue, Got got);
  // Methods that are not.
  void publish(const Publish& message);
  void acknowledge(std::uint64_t tag, Multiple multiple = Multiple::kNo);
  void give_back(std::uint64_t tag, Requeue requeue);

  // Closes it, and opens it again after a pause: its owner hears `closed` with this error, later.
  void reopen(Error why);
  // Nobody is called any more: its owner goes.
  void let_go();
  // Closes it for good: `done` is called when the server has done with all that was written, or the
  // connection is gone. The owner hears nothing more.
  void close(std::move_only_function<void()> done);

 private:
  friend class Client;
  enum class State : std::uint8_t { kDown, kOpening, kOpen, kClosing, kReopening, kGone };
  struct Expected {
    Id answer;
    Done done = {};
    Got got = {};
    Buffer frames = {};  // Written when it is the first.
  };
  struct Content {
    Method method;
    std::optional<ContentHeader> header = {};
    Bytes body = {};
    std::uint64_t left = 0;
  };

  // Called by the client.
  void begin(Number number);
  Result<void> taken(const Frame& frame);
  void lost(const Error& error);
  bool owes() const { return !expected_.empty(); }
  // It wants to be opened when there is a connection, now.
  bool waits() const { return state_ == State::kDown && !retry_.armed(); }

  Result<void> method_came(Method method);
  Result<void> content_came(const Frame& frame);
  Result<void> whole();
  Result<void> answered(Method method);
  void server_closes(const Method& method);
  void ended(const Error& error);
  Buffer& out();
  void expect(Id answer, Done done);
  void send_next();

  const std::shared_ptr<Client> client_;  // Shared with its other channels.
  ChannelOwner* owner_;
  State state_ = State::kDown;
  Number number_ = 0;
  Buffer call_;  // The method that is called now.
  std::deque<Expected> expected_;
  bool close_sent_ = false;
  std::optional<Content> content_;
  std::optional<Error> why_;  // Of kReopening.
  std::move_only_function<void()> closed_;
  Breaker breaker_;
  Breaker::Time began_{};
  Timer retry_;
  Timer late_;
};

}  // namespace weft::remote::amqp
