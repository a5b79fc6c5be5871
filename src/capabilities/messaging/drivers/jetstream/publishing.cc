#include "capabilities/messaging/drivers/jetstream/publishing.h"

#include <fmt/format.h>

#include <atomic>
#include <random>
#include <utility>

#include "capabilities/messaging/drivers/nats/wire.h"
#include "io/loop.h"
#include "io/timer.h"

namespace weft::messaging::jetstream {
namespace {

using remote::nats::Client;
using remote::nats::Problem;
using remote::nats::PublishAck;

// Different from all others' and from those of other hosts.
std::string new_id() {
  static const std::string host = [] {
    std::random_device random;
    return fmt::format("{:08x}{:08x}{:08x}", random(), random(), random());
  }();
  static std::atomic<std::uint64_t> last = 0;
  return fmt::format("{}.{}", host, ++last);
}

// One message on its way into the stream. Held by what it waits for.
class Publishing : public std::enable_shared_from_this<Publishing> {
 public:
  Publishing(const std::shared_ptr<Stream>& stream, remote::nats::Outgoing out, Deadline deadline)
      : stream_(stream), out_(std::move(out)), deadline_(deadline), pause_(stream->loop(), [this] {
          auto self = std::exchange(paused_, nullptr);
          attempt();
        }) {}

  Answer<void> begin() {
    Answer<void> answer = promise_.answer();
    attempt();
    return answer;
  }

 private:
  void attempt() {
    auto stream = stream_.lock();
    if (stream == nullptr) return;
    ++tries_;
    stream->ready([self = shared_from_this()](Result<void> ready) {
      if (!ready) return self->end(std::move(ready));
      self->send();
    });
  }

  void send() {
    auto stream = stream_.lock();
    if (stream == nullptr) return;
    remote::nats::publish(
        stream->client(), out_, earlier(deadline_, Deadline::after(kTryTime)),
        Client::Repeat::kKnown,
        [self = shared_from_this()](Result<PublishAck> ack) { self->answered(std::move(ack)); });
  }

  void answered(Result<PublishAck> ack) {
    if (ack && ack->problem == Problem::kNone) return end({});
    auto stream = stream_.lock();
    // Somebody removed the stream: it is made anew.
    if (ack && ack->problem == Problem::kNoResponders && stream != nullptr) stream->lost();
    const Error& error = ack ? ack->error : ack.error();
    bool may_help = error.code() == Errc::kUnavailable || error.code() == Errc::kTimeout;
    if (!may_help || tries_ >= kTries || deadline_.passed()) {
      return end(std::unexpected(error));
    }
    paused_ = shared_from_this();
    pause_.arm(earlier(deadline_, Deadline::after(kTryPause)));
  }

  void end(Result<void> result) { std::move(promise_).fulfil(std::move(result)); }

  // Shared by the loop's brokers of that name; gone, nobody waits any more.
  const std::weak_ptr<Stream> stream_;
  const remote::nats::Outgoing out_;
  const Deadline deadline_;
  unsigned tries_ = 0;
  Promise<void> promise_;
  std::shared_ptr<Publishing> paused_;  // Itself, while nothing else holds it.
  Timer pause_;
};

// One request that waits for its replies. Held by its subscription.
class Asking : public std::enable_shared_from_this<Asking> {
 public:
  Asking(const std::shared_ptr<Stream>& stream, std::size_t replies)
      : stream_(stream),
        place_(stream->place()),
        wanted_(replies),
        timer_(stream->loop(), [this] { end({}); }) {}

  Answer<std::vector<Message>> begin(Request request, Message message) {
    auto stream = stream_.lock();
    std::string inbox = std::string(nats::kInbox) + new_id();
    TRY(subscription_, stream->client().subscribe(
                           inbox, "", [self = shared_from_this()](remote::nats::Message reply) {
                             self->came(std::move(reply));
                           }));
    timer_.arm(request.deadline);
    message.reply_to = std::move(inbox);
    Answer<std::vector<Message>> answer = promise_.answer();
    auto sent = publish(stream, request, message)
                    .settle([self = shared_from_this()](Result<void> published) {
                      if (!published) self->end(std::move(published));
                      return Nothing();
                    });
    return answer;
  }

 private:
  void came(remote::nats::Message reply) {
    if (came_.size() >= wanted_) return;
    auto read = nats::from_wire(place_->subjects, std::move(reply));
    if (read) came_.push_back(*std::move(read));
    // Who asked may go on at once: not inside the client.
    auto stream = stream_.lock();
    if (came_.size() < wanted_ || stream == nullptr) return;
    stream->loop().defer([self = shared_from_this()] { self->end({}); });
  }

  void end(Result<void> how) {
    if (std::exchange(over_, true)) return;
    auto self = shared_from_this();
    timer_.disarm();
    if (auto stream = stream_.lock()) stream->client().unsubscribe(subscription_);
    if (!came_.empty()) return std::move(promise_).fulfil(std::move(came_));
    if (!how) return std::move(promise_).fulfil(std::unexpected(std::move(how).error()));
    std::move(promise_).fulfil(failure(Errc::kTimeout, "no reply came in time"));
  }

  // Shared by the loop's brokers of that name; gone, nobody waits any more.
  const std::weak_ptr<Stream> stream_;
  const std::shared_ptr<Place> place_;  // Shared by all loops.
  const std::size_t wanted_;
  std::vector<Message> came_;
  std::uint64_t subscription_ = 0;
  bool over_ = false;
  Promise<std::vector<Message>> promise_;
  Timer timer_;
};

}  // namespace

Answer<void> publish(const std::shared_ptr<Stream>& stream, Request request,
                     const Message& message) {
  const nats::Subjects& subjects = stream->place()->subjects;
  if (message.topic.starts_with(nats::kInbox)) {
    return nats::publish(stream->link(), subjects, request, message);
  }
  TRY(remote::nats::Outgoing out, nats::to_wire(subjects, message));
  TRY(std::string reply, nats::reply_subject(subjects, message));
  if (!reply.empty()) out.headers.emplace_back(nats::kReplyHeader, std::move(reply));
  out.headers.emplace_back("Nats-Msg-Id", new_id());
  return std::make_shared<Publishing>(stream, std::move(out), request.deadline)->begin();
}

Answer<std::vector<Message>> ask(const std::shared_ptr<Stream>& stream, Request request,
                                 Message message, std::size_t replies) {
  return std::make_shared<Asking>(stream, replies)->begin(request, std::move(message));
}

}  // namespace weft::messaging::jetstream
