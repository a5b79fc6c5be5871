// What is listened to without having been asked for.
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "remote/nats/client.h"

namespace weft::remote::nats {

Result<std::uint64_t> Client::subscribe(std::string_view subject, std::string_view queue,
                                        OnMessage on_message) {
  if (subscriptions_.size() >= kSubscriptionsMax) {
    return failure(Errc::kLimit, fmt::format("NATS: {} subscriptions", kSubscriptionsMax));
  }
  bool spaces = subject.empty() || subject.find_first_of(" \t\r\n") != std::string_view::npos ||
                queue.find_first_of(" \t\r\n") != std::string_view::npos;
  if (spaces || subject.size() > kSubjectBytesMax || queue.size() > kSubjectBytesMax / 8) {
    return failure(Errc::kInvalid, "NATS: that is no subject to listen to");
  }
  std::uint64_t id = next_subscription_++;
  auto [added, fresh] =
      subscriptions_.emplace(id, Subscription{std::string(subject), std::string(queue),
                                              std::make_shared<OnMessage>(std::move(on_message))});
  if (state_ == State::kReady) {
    write_subscription(id, added->second);
    connection_->flush();
    watch();
  } else if (state_ == State::kDown && !retry_.armed()) {
    connect();
  }
  return id;
}

void Client::unsubscribe(std::uint64_t subscription) {
  if (subscriptions_.erase(subscription) == 0 || state_ != State::kReady) return;
  connection_->out().append(fmt::format("UNSUB {}\r\n", subscription));
  connection_->flush();
}

void Client::write_subscription(std::uint64_t id, const Subscription& subscription) {
  std::string_view space = subscription.queue.empty() ? "" : " ";
  connection_->out().append(
      fmt::format("SUB {}{}{} {}\r\n", subscription.subject, space, subscription.queue, id));
}

}  // namespace weft::remote::nats
