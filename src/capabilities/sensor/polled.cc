#include "capabilities/sensor/polled.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "io/loop.h"

namespace weft::sensor {

Result<std::vector<Probe::Reading>> Probe::readings(const Wants& wants) {
  TRY(std::vector<SensorInfo> sensors, list());
  std::vector<Reading> all;
  for (SensorInfo& each : sensors) {
    if (!wants(each.name)) continue;
    Result<Measurement> said = read(each.name);
    all.push_back({std::move(each), std::move(said)});
  }
  return all;
}

// One question that a thread is at work on. Its answer comes, or the deadline does.
template <class T>
struct PolledSource::Asked {
  Asked(Loop& loop, Deadline deadline)
      : late(loop, [this] { give(failure(Errc::kTimeout, "the sensor did not answer in time")); }) {
    late.arm(deadline);
  }
  void give(Result<T> told) {
    late.disarm();
    if (auto waiting = std::exchange(promise, std::nullopt)) {
      std::move(*waiting).fulfil(std::move(told));
    }
  }

  std::optional<Promise<T>> promise{std::in_place};
  std::optional<Result<T>> result;  // Written by the thread before the loop looks.
  Timer late;
};

PolledSource::PolledSource(Loop& loop, std::shared_ptr<Probe> probe,
                           std::chrono::milliseconds every, Pool* pool)
    : loop_(loop), probe_(std::move(probe)), every_(every), pool_(pool), next_(loop, [this] {
        begin();
      }) {}

template <class T>
Answer<T> PolledSource::ask(Deadline deadline, std::move_only_function<Result<T>()> question) {
  if (pool_ == nullptr) return question();
  if (asked_ >= kAskedMax) {
    return failure(Errc::kLimit, fmt::format("{} questions to sensors wait already", asked_));
  }
  auto asked = std::make_unique<Asked<T>>(loop_, earlier(deadline, Deadline::after(kAskMax)));
  Answer<T> answer = asked->promise->answer();
  // The loop outlives the pool, and what is posted to it.
  Asked<T>* to = asked.get();
  auto work = [to, question = std::move(question)]() mutable { to->result = question(); };
  auto done = [weak = weak_from_this(), asked = std::move(asked)]() mutable {
    if (auto self = weak.lock()) --self->asked_;
    asked->give(std::move(*asked->result));
  };
  ++asked_;
  if (Result<void> begun = pool_->submit(loop_, std::move(work), std::move(done)); !begun) {
    --asked_;
    return std::unexpected(std::move(begun).error());
  }
  return answer;
}

Answer<std::vector<SensorInfo>> PolledSource::list(Request request) {
  return ask<std::vector<SensorInfo>>(request.deadline, [probe = probe_] { return probe->list(); });
}

Answer<Measurement> PolledSource::read(Request request, std::string sensor) {
  return ask<Measurement>(request.deadline, [probe = probe_, sensor = std::move(sensor)] {
    return probe->read(sensor);
  });
}

Result<std::unique_ptr<Watching>> PolledSource::watch(std::string pattern, Taker taker) {
  TRY(std::unique_ptr<Watching> watching,
      watchers_.add(std::move(pattern), std::move(taker), shared_from_this()));
  // The first of them need not wait for the next round.
  if (!asking_ && !next_.armed()) next_.arm(Deadline::after(std::chrono::milliseconds(0)));
  return watching;
}

// A round: what is there of those that are wanted, and what it says.
void PolledSource::begin() {
  if (asking_ || watchers_.empty()) return seen_.clear();
  asking_ = true;
  auto ask = [probe = probe_, patterns = watchers_.patterns()] {
    return probe->readings([&](std::string_view sensor) {
      auto fits = [&](const std::string& pattern) { return matches(pattern, sensor); };
      return std::ranges::any_of(patterns, fits);
    });
  };
  if (pool_ == nullptr) return told(ask());
  // Shared by the thread and the loop, one after the other.
  auto round = std::make_shared<Result<Readings>>();
  Result<void> begun = pool_->submit(
      loop_, [round, ask = std::move(ask)] { *round = ask(); },
      [weak = weak_from_this(), round] {
        if (auto self = weak.lock()) self->told(std::move(*round));
      });
  // Too much waits for a thread: this round is left out.
  if (!begun) rest();
}

void PolledSource::rest() {
  asking_ = false;
  next_.arm(Deadline::after(every_));
}

// What cannot be asked for its sensors has none.
void PolledSource::told(Result<Readings> round) {
  auto keep = shared_from_this();
  rest();
  std::map<std::string, SensorInfo> before = std::exchange(seen_, {});
  std::vector<Measurement> came;
  for (Probe::Reading& each : std::move(round).value_or(Readings())) {
    came.push_back(each.said ? *std::move(each.said) : failed(each.sensor, calendar()));
    seen_.emplace(each.sensor.name, std::move(each.sensor));
  }
  for (const auto& [name, sensor] : before) {
    if (!seen_.contains(name)) came.push_back(failed(sensor, calendar()));
  }
  for (const Measurement& each : came) watchers_.tell(each);
}

PolledBackend::PolledBackend(std::shared_ptr<Probe> probe, std::chrono::milliseconds every,
                             Speed speed)
    : probe_(std::move(probe)), every_(every) {
  if (speed == Speed::kBlocks) {
    pool_ = std::make_unique<Pool>(Pool::Options{.threads = kProbeThreads});
  }
}

void PolledBackend::reach(Loop& loop, Deadline deadline, Reached done) {
  std::shared_ptr<Source> asked = source(loop);
  auto answer =
      asked->list({loop, deadline})
          .settle([done = std::move(done), asked](Result<std::vector<SensorInfo>> sensors) mutable {
            if (!sensors) {
              done(std::unexpected(std::move(sensors).error()));
            } else if (sensors->empty()) {
              done(failure(Errc::kNotFound, "there is no sensor"));
            } else {
              done({});
            }
            return Nothing();
          });
}

std::shared_ptr<Source> PolledBackend::source(Loop& loop) {
  return sources_.get(
      &loop, [&] { return std::make_shared<PolledSource>(loop, probe_, every_, pool_.get()); });
}

}  // namespace weft::sensor
