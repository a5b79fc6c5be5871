#include "capabilities/messaging/drivers/nats/link.h"

#include <fmt/format.h>

#include <utility>

#include "capabilities/messaging/drivers/nats/wire.h"
#include "io/loop.h"

namespace weft::messaging::nats {
namespace {

// A subscription until it is dropped.
class Subscribed final : public Watch {
 public:
  Subscribed(std::shared_ptr<Link> link, std::uint64_t subscription)
      : link_(std::move(link)), subscription_(subscription) {}
  ~Subscribed() override { link_->client().unsubscribe(subscription_); }

 private:
  const std::shared_ptr<Link> link_;  // Shared by the loop's brokers.
  const std::uint64_t subscription_;
};

}  // namespace

void Link::unsubscribe_later(std::uint64_t subscription) {
  leaving_.emplace_back(Deadline::Clock::now() + kLeaving, subscription);
  if (!timer_.armed()) timer_.arm(Deadline::at(leaving_.front().first));
}

void Link::unsubscribe_due() {
  auto now = Deadline::Clock::now();
  while (!leaving_.empty() && leaving_.front().first <= now) {
    client_->unsubscribe(leaving_.front().second);
    leaving_.pop_front();
  }
  if (!leaving_.empty()) timer_.arm(Deadline::at(leaving_.front().first));
}

Answer<void> publish(Link& link, const Subjects& subjects, Request request,
                     const Message& message) {
  TRY(remote::nats::Outgoing out, to_wire(subjects, message));
  TRY(std::string reply, reply_subject(subjects, message));
  Promise<void> promise;
  Answer<void> answer = promise.answer();
  link.client().publish(std::move(out), std::move(reply), request.deadline,
                        [promise = std::move(promise)](Result<void> done) mutable {
                          std::move(promise).fulfil(std::move(done));
                        });
  return answer;
}

Answer<std::vector<Message>> ask(Link& link, const std::shared_ptr<Space>& space, Request request,
                                 const Message& message, std::size_t replies) {
  TRY(remote::nats::Outgoing out, to_wire(space->subjects, message));
  Promise<std::vector<Message>> promise;
  Answer<std::vector<Message>> answer = promise.answer();
  // Shared by the two functions that the client calls.
  auto came = std::make_shared<std::vector<Message>>();
  auto each = [came, replies, space](remote::nats::Message reply) {
    if (auto read = from_wire(space->subjects, std::move(reply))) came->push_back(*std::move(read));
    return came->size() < replies;
  };
  auto done = [came, topic = message.topic,
               promise = std::move(promise)](Result<remote::nats::Message> last) mutable {
    if (!came->empty()) return std::move(promise).fulfil(std::move(*came));
    if (!last) return std::move(promise).fulfil(std::unexpected(std::move(last).error()));
    std::move(promise).fulfil(
        failure(Errc::kTimeout, fmt::format("no reply: nobody listens to {}", topic)));
  };
  link.client().request(std::move(out), request.deadline, std::move(each), std::move(done));
  return answer;
}

Result<std::unique_ptr<Watch>> watch(std::shared_ptr<Link> link, const Subjects& subjects,
                                     std::string_view pattern, ReplyTo reply_to,
                                     std::function<void(Message)> saw) {
  TRY_VOID(check_pattern(pattern));
  TRY(std::string subject, subjects.subject(pattern));
  // The client calls nobody who has unsubscribed.
  auto on_message = [prefix = subjects.prefix(), reply_to,
                     saw = std::move(saw)](remote::nats::Message came) {
    if (reply_to == ReplyTo::kServer) came.reply.clear();
    if (auto read = from_wire(Subjects(prefix), std::move(came))) saw(*std::move(read));
  };
  TRY(std::uint64_t subscription, link->client().subscribe(subject, "", std::move(on_message)));
  return std::make_unique<Subscribed>(std::move(link), subscription);
}

}  // namespace weft::messaging::nats
