#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>

#include "base/deadline.h"
#include "remote/amqp/channel.h"
#include "remote/amqp/client.h"

namespace weft::remote::amqp {

// Messages of one publisher that wait or are not confirmed, and their bytes; and those that are not
// confirmed.
inline constexpr std::size_t kWaitingMax = 65'536;
inline constexpr std::size_t kHeldBytesMax = 64UL << 20;
inline constexpr std::size_t kSentMax = 1'024;
// How often a message is sent that is the first without an answer each time a channel ends: it may
// be what the server ends it for.
inline constexpr unsigned kSendsMax = 5;

// What became of a message that the server has taken.
enum class Routed : std::uint8_t {
  kTaken,
  kNowhere,  // It is mandatory, and no queue is there for it.
};

// A channel with confirms. On its loop's thread; dropped, nobody is told anything more.
class Publisher : private ChannelOwner {
 public:
  using Done = std::move_only_function<void(Result<Routed>)>;
  // Writes what has to be there before anything is published; what fails of it closes the channel.
  using Prepare = std::function<void(Channel&)>;
  // What is consumed by what `prepare` wrote.
  using OnMessage = std::function<void(Incoming)>;

  // No channel is opened before something is published.
  Publisher(std::shared_ptr<Client> client, Prepare prepare, OnMessage on_message);
  Publisher(const Publisher&) = delete;
  ~Publisher() override;

  // Answered when the server has confirmed it. One that is not confirmed when the channel ends is
  // sent again, within its deadline. A mandatory one has a message id, by which it comes back.
  // `done` is called later, never inside this call.
  void publish(Publish message, Deadline deadline, Done done);

 private:
  struct Request;
  using Requests = std::list<Request>;

  void opened() override;
  void closed(const Error& error) override;
  void came(Incoming message) override { on_message_(std::move(message)); }
  void came_back(Incoming message) override;
  void confirmed(const Method& answer) override;
  void may_send() override { send_waiting(); }

  void send_waiting();
  void confirm(Requests::iterator request, Id how);
  void finish(Requests::iterator request, Result<Routed> result);
  void late(Requests::iterator request);
  void fail_all(const Error& error);

  const std::shared_ptr<Client> client_;  // Shared with its other channels.
  const Prepare prepare_;
  const OnMessage on_message_;
  Requests waiting_;
  Requests sent_;
  std::size_t bytes_ = 0;                               // Of both.
  std::map<std::uint64_t, Requests::iterator> by_tag_;  // Those in sent_.
  std::uint64_t last_tag_ = 0;
  bool ready_ = false;
  std::shared_ptr<Channel> channel_;  // Shared with the client while it calls.
};

}  // namespace weft::remote::amqp
