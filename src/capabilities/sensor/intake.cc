#include "capabilities/sensor/intake.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/limits.h"

namespace weft::sensor {

Result<void> check_policy(const Policy& policy) {
  using Kind = Policy::Kind;
  if (policy.kind == Kind::kAll && (policy.most == 0 || policy.most > kAllMax)) {
    return failure(Errc::kInvalid,
                   fmt::format("of all {} wait: from 1 to {} may", policy.most, kAllMax));
  }
  if (policy.kind == Kind::kSample && (policy.every < kSampleLeast || policy.every > kSampleMost)) {
    return failure(Errc::kInvalid, "a sample is taken every 10ms to 1h");
  }
  return {};
}

Result<Policy> read_policy(std::string_view text) {
  std::size_t space = text.find(' ');
  std::string_view word = text.substr(0, space);
  std::string_view rest = space == text.npos ? std::string_view() : text.substr(space + 1);
  Policy policy;
  if (word == "latest" && space == text.npos) return policy;
  if (word == "all") {
    policy.kind = Policy::Kind::kAll;
    if (space != text.npos) {
      auto [end, wrong] = std::from_chars(rest.data(), rest.data() + rest.size(), policy.most);
      if (wrong != std::errc() || end != rest.data() + rest.size()) policy.most = 0;
    }
    TRY_VOID(check_policy(policy));
    return policy;
  }
  if (word == "sample") {
    policy.kind = Policy::Kind::kSample;
    TRY(std::uint64_t every, parse_duration_ns(rest));
    policy.every = std::chrono::nanoseconds(
        std::min<std::uint64_t>(every, static_cast<std::uint64_t>(kSampleMost.count()) + 1));
    TRY_VOID(check_policy(policy));
    return policy;
  }
  return failure(Errc::kInvalid,
                 fmt::format("policy is \"latest\", \"all\", \"all 500\" or \"sample 10s\", not "
                             "\"{}\"",
                             text));
}

void Intake::put(Measurement measurement) {
  if (policy_.kind == Policy::Kind::kAll) {
    bool full = all_.size() >= policy_.most || room_->waiting >= Room::kWaitingMax;
    // The newest one waits in any case.
    if (full && !all_.empty()) {
      missed_[all_.front().sensor] += 1 + all_.front().missed;
      all_.pop_front();
      --room_->waiting;
    }
    all_.push_back(std::move(measurement));
    ++room_->waiting;
    return;
  }
  auto [known, added] = newest_.try_emplace(measurement.sensor);
  if (added) {
    behind_.push_back(measurement.sensor);
  } else {
    measurement.missed += 1 + known->second.missed;
  }
  known->second = std::move(measurement);
}

std::vector<Measurement> Intake::take(std::size_t most, Time now) {
  std::vector<Measurement> taken;
  if (policy_.kind == Policy::Kind::kAll) {
    for (; taken.size() < most && !all_.empty(); all_.pop_front()) {
      taken.push_back(std::move(all_.front()));
      if (auto left_out = missed_.extract(taken.back().sensor)) {
        taken.back().missed += left_out.mapped();
      }
    }
    room_->waiting -= taken.size();
    return taken;
  }
  if (!behind_.empty() && now >= gate_) {
    ready_.insert(ready_.end(), behind_.begin(), behind_.end());
    behind_.clear();
    gate_ = now + policy_.every;
  }
  for (; taken.size() < most && !ready_.empty(); ready_.pop_front()) {
    taken.push_back(std::move(newest_.extract(ready_.front()).mapped()));
  }
  return taken;
}

std::optional<Intake::Time> Intake::due() const {
  if (!all_.empty() || !ready_.empty()) return Time::min();
  if (!behind_.empty()) return policy_.every.count() == 0 ? Time::min() : gate_;
  return std::nullopt;
}

std::size_t Intake::size() const {
  return policy_.kind == Policy::Kind::kAll ? all_.size() : newest_.size();
}

}  // namespace weft::sensor
