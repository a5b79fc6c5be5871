#include "door/retry.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "io/loop.h"

namespace weft {
namespace {

bool may_pass(Errc code) {
  return code == Errc::kUnavailable || code == Errc::kTimeout;
}

}  // namespace

bool RetryBudget::take(Time now) {
  double passed = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  if (saved_ < kPerSecond) saved_ = std::min(saved_ + passed * kPerSecond, kPerSecond);
  if (saved_ < 1) return false;
  saved_ -= 1;
  return true;
}

// A call between two attempts.
struct RetryLayer::Wait {
  explicit Wait(RetryLayer& in_layer)
      : layer(in_layer), timer(in_layer.loop_, [this] { layer.take(*this).retry(); }) {}

  RetryLayer& layer;
  Call* call = nullptr;
  Timer timer;
  std::list<Wait>::iterator place;
};

RetryLayer::RetryLayer(Loop& loop, Rules rules, std::uint64_t seed, LinkNotes* notes)
    : loop_(loop),
      rules_(rules),
      chance_(static_cast<std::minstd_rand::result_type>(seed)),
      notes_(notes),
      budget_(loop.now()) {}

RetryLayer::~RetryLayer() = default;

Layer::Flow RetryLayer::before(Call& call, State& state) {
  call.keep_arguments();
  budget_.called();
  state.words[0] = 1;
  return Flow::kOn;
}

Layer::Flow RetryLayer::after(Call& call, State& state) {
  if (call.outcome() == Call::State::kDone || call.cancelled()) return Flow::kOn;
  if (!may_pass(call.error().code())) return Flow::kOn;
  std::uint64_t attempt = state.words[0];
  std::string why;
  Deadline until = Deadline::at(loop_.now() + wait_before(attempt));
  if (attempt >= rules_.attempts) {
    why = fmt::format("it was attempt {} of {}", attempt, rules_.attempts);
  } else if (call.deadline().when() <= until.when()) {
    why = fmt::format("after attempt {} of {} its deadline leaves no time for another", attempt,
                      rules_.attempts);
  } else if (waiting_.size() >= kWaitingMax || !budget_.take(loop_.now())) {
    why = fmt::format("no more attempts after {} of {}: too many calls of this link fail", attempt,
                      rules_.attempts);
  }
  if (!why.empty()) {
    call.refuse(Error(call.error().code(), fmt::format("{} ({})", call.error().message(), why)));
    return Flow::kAnswered;
  }
  if (notes_ != nullptr) notes_->note(LinkEvent::kRetry);
  ++state.words[0];
  hold(call, until);
  return Flow::kHold;
}

std::chrono::nanoseconds RetryLayer::wait_before(std::uint64_t attempt) {
  using Nanoseconds = std::chrono::nanoseconds;
  auto times = Nanoseconds::rep{1} << (attempt - 1);
  Nanoseconds most = std::min<Nanoseconds>(rules_.wait * times, kWaitMax);
  std::uniform_int_distribution<Nanoseconds::rep> chance(0, most.count() / 2);
  return most - Nanoseconds(chance(chance_));
}

void RetryLayer::hold(Call& call, Deadline until) {
  if (free_.empty()) free_.emplace_back(*this);
  waiting_.splice(waiting_.end(), free_, free_.begin());
  Wait& wait = waiting_.back();
  wait.place = std::prev(waiting_.end());
  wait.call = &call;
  wait.timer.arm(until);
  call.on_cancel(
      [](void* data) {
        auto& given_up = *static_cast<Wait*>(data);
        given_up.layer.take(given_up).resume();
      },
      &wait);
}

Call& RetryLayer::take(Wait& wait) {
  wait.timer.disarm();
  free_.splice(free_.begin(), waiting_, wait.place);
  return *std::exchange(wait.call, nullptr);
}

}  // namespace weft
