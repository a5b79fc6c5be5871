#pragma once

#include <charconv>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "capabilities/messaging/broker.h"
#include "io/loop.h"
#include "io/timer.h"

namespace weft::messaging {

// Requests of one loop that wait for replies.
inline constexpr std::size_t kPendingRepliesMax = 65'536;

// The requests of one loop to one broker whose replies are not all there, by the number that their
// replies name. `Unsent` is what a request is while it cannot be sent yet. Where nothing answers
// they end at their deadline. On its loop.
template <class Unsent>
class PendingReplies {
 public:
  explicit PendingReplies(Loop& loop)
      : loop_(loop), self_(std::make_shared<PendingReplies*>(this)) {}
  PendingReplies(const PendingReplies&) = delete;
  ~PendingReplies() { *self_ = nullptr; }

  // Of a request that is added next.
  Result<std::uint64_t> next_number() {
    if (waiting_.size() < kPendingRepliesMax) return ++last_;
    return failure(Errc::kLimit, "too many requests wait for replies");
  }
  Answer<std::vector<Message>> add(std::uint64_t number, std::size_t replies, Deadline deadline,
                                   std::optional<Unsent> unsent = std::nullopt) {
    auto asked = std::make_unique<Asked>(*this, number, replies, std::move(unsent));
    asked->timer.arm(deadline);
    Answer<std::vector<Message>> answer = asked->promise.answer();
    waiting_[number] = std::move(asked);
    return answer;
  }

  // Sends what was added unsent: `send(number, unsent, deadline)`.
  template <class Send>
  void send_all(Send send) {
    // Taken first: one that cannot be sent ends at once.
    std::vector<std::tuple<std::uint64_t, Unsent, Deadline>> all;
    for (auto& [number, asked] : waiting_) {
      auto unsent = std::exchange(asked->unsent, std::nullopt);
      if (unsent) all.emplace_back(number, *std::move(unsent), asked->timer.deadline());
    }
    for (auto& [number, unsent, deadline] : all) send(number, std::move(unsent), deadline);
  }
  // For who sends a request: where it cannot be sent there are no replies.
  auto when_sent(std::uint64_t number) {
    return [self = self_, number](Result<void> sent) {
      if (*self != nullptr && !sent) (*self)->end(number, std::move(sent));
    };
  }

  // A reply that names the number in text. One that nobody waits for is dropped.
  void came(std::string_view text, Message message) {
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    auto found = waiting_.find(number);
    if (found == waiting_.end()) return;
    Asked& asked = *found->second;
    if (asked.came.size() >= asked.wanted) return;
    asked.came.push_back(std::move(message));
    if (asked.came.size() < asked.wanted) return;
    // Who asked may go on at once: not inside the client.
    loop_.defer([self = self_, number] {
      if (*self != nullptr) (*self)->end(number, {});
    });
  }

  void fail_all(const Error& error) {
    std::vector<std::uint64_t> numbers;
    for (const auto& [number, asked] : waiting_) numbers.push_back(number);
    for (std::uint64_t number : numbers) end(number, std::unexpected(error));
  }

 private:
  struct Asked {
    Asked(PendingReplies& all, std::uint64_t number, std::size_t replies,
          std::optional<Unsent> message)
        : wanted(replies),
          unsent(std::move(message)),
          timer(all.loop_, [&all, number] { all.end(number, {}); }) {}

    std::size_t wanted;
    std::optional<Unsent> unsent;
    std::vector<Message> came;
    Promise<std::vector<Message>> promise;
    Timer timer;
  };

  // With those that came; without any with the failure, or as one that took too long.
  void end(std::uint64_t number, Result<void> how) {
    auto taken = waiting_.extract(number);
    if (taken.empty()) return;
    // It may be its own timer that fires.
    Asked& asked = *taken.mapped();
    asked.timer.disarm();
    if (!asked.came.empty()) return std::move(asked.promise).fulfil(std::move(asked.came));
    if (!how) return std::move(asked.promise).fulfil(std::unexpected(std::move(how).error()));
    std::move(asked.promise).fulfil(failure(Errc::kTimeout, "no reply came in time"));
  }

  Loop& loop_;
  const std::shared_ptr<PendingReplies*> self_;  // Null once it is gone: answers come later.
  std::map<std::uint64_t, std::unique_ptr<Asked>> waiting_;
  std::uint64_t last_ = 0;
};

}  // namespace weft::messaging
