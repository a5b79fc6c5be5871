#include "capabilities/sensor/feed.h"

#include <fmt/format.h>

#include <utility>

#include "io/loop.h"
#include "io/timer.h"

namespace weft::sensor {

struct Feed::State : std::enable_shared_from_this<Feed::State> {
  State(Loop& on, std::string_view named, Policy policy, std::function<void()> told,
        std::shared_ptr<Room> room)
      : loop(on),
        space(named),
        intake(policy, std::move(room)),
        news(std::move(told)),
        later(on, [this] { tell(); }) {}

  void came(Measurement measurement) {
    measurement.sensor = fmt::format("{}/{}", space, measurement.sensor);
    intake.put(std::move(measurement));
    look();
  }
  bool any() const {
    auto due = intake.due();
    return due && *due <= Deadline::Clock::now();
  }
  // Tells of what may be taken, now or when it may.
  void look() {
    auto due = intake.due();
    if (!due) return;
    if (*due <= Deadline::Clock::now()) {
      tell();
    } else if (!later.armed()) {
      later.arm(Deadline::at(*due));
    }
  }
  void tell() {
    if (std::exchange(posted, true)) return;
    loop.post([weak = weak_from_this()] {
      auto self = weak.lock();
      if (self == nullptr) return;
      self->posted = false;
      if (self->any()) {
        self->news();
      } else {
        self->look();
      }
    });
  }

  Loop& loop;
  const std::string space;
  Intake intake;
  const std::function<void()> news;
  Timer later;
  bool posted = false;
};

Feed::Feed(std::shared_ptr<State> state) : state_(std::move(state)) {}

Feed::~Feed() = default;

Result<std::unique_ptr<Feed>> Feed::open(Loop& loop, Source& source, std::string_view pattern,
                                         Policy policy, std::function<void()> news,
                                         std::shared_ptr<Room> room) {
  TRY_VOID(check_pattern(pattern));
  TRY_VOID(check_policy(policy));
  auto state =
      std::make_shared<State>(loop, space_of(pattern), policy, std::move(news), std::move(room));
  std::unique_ptr<Feed> feed(new Feed(state));
  TRY(feed->watching_, source.watch(std::string(within_space(pattern)),
                                    [weak = std::weak_ptr(state)](const Measurement& came) {
                                      if (auto self = weak.lock()) self->came(came);
                                    }));
  return feed;
}

std::vector<Measurement> Feed::take(std::size_t most) {
  std::vector<Measurement> taken = state_->intake.take(most, Deadline::Clock::now());
  // What waits for the next sample is told of by the timer.
  if (!any()) state_->look();
  return taken;
}

bool Feed::any() const {
  return state_->any();
}

std::size_t Feed::waiting() const {
  return state_->intake.size();
}

}  // namespace weft::sensor
