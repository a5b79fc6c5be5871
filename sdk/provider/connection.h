#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "door/call.h"
#include "provider/channel.h"
#include "provider/handshake.h"
#include "provider/streams.h"
#include "values/type.h"

namespace weft::provider {

class Connection;

// A function as the process serves it.
struct ServedFunction {
  std::unique_ptr<Link> link;
  Signature signature;
};

// What the connections of a process have in common.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;

  virtual Loop& loop() = 0;
  virtual CallPool& calls() = 0;
  virtual const std::string& token() const = 0;
  // The setup came; what to answer: an offer, or why not. The same for every connection.
  virtual Result<std::string> set_up(SetupMessage setup) = 0;
  // All that is served, once it is set up.
  virtual std::vector<ServedFunction>& functions() = 0;
  virtual std::string_view app() const = 0;
  virtual std::string_view name() const = 0;
  // It has ended; deletes it, later.
  virtual void ended(Connection& connection) = 0;
};

// One connection of weft's: its calls, the resources and the streams that were given on it. On the
// loop of the process.
class Connection : public ChannelOwner {
 public:
  Connection(ConnectionOwner& owner, Fd socket);
  // Cancels its calls and drops its resources.
  ~Connection() override;

  Result<Buffer*> body_of(const FrameHead& head) override;
  Result<void> frame(const FrameHead& head, BytesView body) override;
  void broken(Error error) override;

 private:
  class Incoming;
  class Numbers;

  Result<Buffer*> body_of_call(const FrameHead& head);
  Result<void> on_setup(const FrameHead& head);
  void start(Incoming& call, BytesView arguments);
  void cancel(std::uint32_t id);
  void reply(Incoming& call);
  void refuse(Incoming& call, const Error& error);
  void forget(Incoming& call);

  ConnectionOwner& owner_;
  // Shared with the operations of asio that are under way on it.
  std::shared_ptr<Channel> channel_;
  Streams streams_;
  std::unique_ptr<Context> context_;
  Buffer setup_;
  bool ready_ = false;
  std::unordered_map<std::uint32_t, std::unique_ptr<Incoming>> calls_;
};

}  // namespace weft::provider
