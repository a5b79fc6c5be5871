#include "message_workload.h"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <charconv>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "capabilities/keyvalue/drivers/lmdb.h"
#include "capabilities/messaging/log_broker.h"
#include "capabilities/state_folder.h"
#include "io/loop.h"
#include "io/timer.h"

namespace weft::powercut {
namespace {

using messaging::Broker;
using messaging::Delivery;
using messaging::Message;

constexpr std::uint64_t kAtOnce = 32;
constexpr std::uint64_t kMessageKeys = 5;
// How long what is missing is waited for.
constexpr std::chrono::seconds kPatience{5};

std::string key_of(std::uint64_t number) {
  return fmt::format("k{}", number % kMessageKeys);
}

Message message(std::uint64_t seed, std::uint64_t number) {
  // Some fill pages of their own.
  std::size_t filling = (seed + number) % 9 == 0 ? 9'000 : 40;
  return {.topic = "orders.new",
          .data = to_bytes(fmt::format("{}:{}", number, std::string(filling, 'x'))),
          .metadata = {{"key", key_of(number)}}};
}

std::uint64_t number_of(const Message& message) {
  std::string_view text = as_text(message.data);
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// The log in a state folder, and a group of it whose messages are done as soon as they come.
class Place final : public messaging::Receiver {
 public:
  using News = std::function<void(std::uint64_t number)>;

  Place(const std::filesystem::path& folder, News came) : state_(folder), came_(std::move(came)) {}
  ~Place() override {
    queue_.reset();
    broker_.reset();
  }

  Result<void> open() {
    TRY_VOID(backend_->open());
    broker_ = backend_->broker(loop_, {"app", ""});
    queue_ = broker_->subscribe(
        {.group = "g", .pattern = "orders.>", .ordering = messaging::Ordering::kKey}, *this);
    return {};
  }

  void deliver(Delivery delivery) override {
    came_(number_of(delivery.message));
    queue_->settle(delivery.id, {});
    if (over && over()) loop_.stop();
  }

  Loop& loop() { return loop_; }
  Broker& broker() { return *broker_; }
  // The loop stops when it says so.
  std::function<bool()> over;

 private:
  Loop loop_;
  StateFolderOnDemand state_;
  std::unique_ptr<messaging::Backend> backend_ =
      messaging::log_backend(keyvalue::lmdb_backend(state_));
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<messaging::Queue> queue_;
  News came_;
};

}  // namespace

Result<void> run_messages(const std::filesystem::path& folder, std::uint64_t seed, Range range,
                          const std::function<void(std::uint64_t)>& acknowledged) {
  std::set<std::uint64_t> done;
  Place place(folder, [&](std::uint64_t number) {
    acknowledged(handled(number));
    done.insert(number);
  });
  TRY_VOID(place.open());
  std::uint64_t next = range.first, kept = 0;
  Result<void> outcome;
  place.over = [&] { return !outcome || (kept == range.count && done.size() == range.count); };
  std::function<void()> publish = [&] {
    std::uint64_t number = next++;
    auto answer = place.broker().publish({place.loop(), Deadline::never()}, message(seed, number));
    auto settled = std::move(answer).settle([&, number](Result<void> result) {
      if (!result) {
        outcome = std::move(result);
      } else {
        acknowledged(number);
        ++kept;
        if (next < range.first + range.count) publish();
      }
      if (place.over()) place.loop().stop();
      return Nothing();
    });
  };
  for (std::uint64_t i = 0; i < std::min(kAtOnce, range.count); ++i) publish();
  place.loop().run();
  return outcome;
}

Result<void> check_messages(const std::filesystem::path& folder, std::uint64_t /*seed*/,
                            std::uint64_t end,
                            const std::function<bool(std::uint64_t)>& acknowledged) {
  std::set<std::uint64_t> owed;
  for (std::uint64_t n = 0; n < end; ++n) {
    if (acknowledged(n) && !acknowledged(handled(n))) owed.insert(n);
  }
  std::map<std::string, std::uint64_t> last;
  std::string wrong;
  Place place(folder, [&](std::uint64_t number) {
    auto [before, first] = last.emplace(key_of(number), number);
    if (!first && before->second >= number) {
      wrong = fmt::format("message {} came after {} of the same key", number, before->second);
    }
    before->second = number;
    owed.erase(number);
  });
  TRY_VOID(place.open());
  place.over = [&] { return owed.empty() || !wrong.empty(); };
  if (!place.over()) {
    Timer timer(place.loop(), [&] { place.loop().stop(); });
    timer.arm(Deadline::after(kPatience));
    place.loop().run();
  }
  if (!wrong.empty()) return failure(Errc::kCorrupt, wrong);
  if (owed.empty()) return {};
  return failure(Errc::kNotFound,
                 fmt::format("{} messages that were acknowledged and not handled do not come, the "
                             "first of them {}",
                             owed.size(), *owed.begin()));
}

}  // namespace weft::powercut
