#include "capabilities/secrets/audit.h"

#include "base/log.h"

namespace weft::secrets {

namespace {

constexpr std::string_view kPart = "secrets";

}  // namespace

Audit::~Audit() {
  for (const auto& [key, count] : counts_) {
    const auto& [event, app, component, name] = key;
    if (event != Event::kRevealed || count.untold == 0) continue;
    log::info(kPart, "revealed",
              {{"name", name}, {"app", app}, {"component", component}, {"times", count.times}});
  }
}

std::optional<std::uint64_t> Audit::count(Event event, const Context& who, std::string_view name,
                                          Clock::time_point now) {
  std::lock_guard hold(mutex_);
  Key key{event, who.app(), who.component(), name};
  if (counts_.size() >= kAuditedMax && !counts_.contains(key)) key = {event, "", "", "(others)"};
  Count& count = counts_[key];
  ++count.untold;
  if (++count.times > 1 && now - count.told < kAuditEvery) return std::nullopt;
  count.told = now;
  count.untold = 0;
  return count.times;
}

void Audit::revealed(const Context& who, std::string_view name, Clock::time_point now) {
  auto times = count(Event::kRevealed, who, name, now);
  if (!times) return;
  log::info(kPart, "revealed",
            {{"name", name},
             {"app", who.app()},
             {"component", who.component()},
             {"request", who.request_id},
             {"times", *times}});
}

void Audit::failed(const Context& who, std::string_view name, const Error& error,
                   Clock::time_point now) {
  auto times = count(Event::kFailed, who, name, now);
  if (!times) return;
  log::warn(kPart, error.message(),
            {{"name", name},
             {"app", who.app()},
             {"component", who.component()},
             {"request", who.request_id},
             {"times", *times}});
}

}  // namespace weft::secrets
