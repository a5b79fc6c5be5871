#include "capabilities/sensor/watchers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weft::sensor {

class Watchers::Watch final : public Watching {
 public:
  Watch(std::shared_ptr<Entry> entry, std::shared_ptr<void> keep)
      : keep_(std::move(keep)), entry_(std::move(entry)) {}
  // The taker may be what runs now: it goes when that returns, and is not called again.
  ~Watch() override { entry_->pattern.clear(); }

 private:
  const std::shared_ptr<void> keep_;  // Shared with the source's other watches.
  const std::shared_ptr<Entry> entry_;
};

Result<std::unique_ptr<Watching>> Watchers::add(std::string pattern, Source::Taker taker,
                                                std::shared_ptr<void> keep) {
  forget();
  if (entries_.size() >= kWatchersMax) {
    return failure(Errc::kLimit, fmt::format("{} watch these sensors already", entries_.size()));
  }
  auto entry = std::make_shared<Entry>(std::move(pattern), std::move(taker));
  entries_.push_back(entry);
  return std::make_unique<Watch>(std::move(entry), std::move(keep));
}

void Watchers::tell(const Measurement& measurement) {
  std::vector<std::shared_ptr<Entry>> all;
  for (const std::weak_ptr<Entry>& each : entries_) {
    if (auto entry = each.lock()) all.push_back(std::move(entry));
  }
  for (const std::shared_ptr<Entry>& each : all) {
    // Whose watch has ended meanwhile has no pattern.
    if (!each->pattern.empty() && matches(each->pattern, measurement.sensor)) {
      each->taker(measurement);
    }
  }
}

bool Watchers::empty() {
  forget();
  return entries_.empty();
}

std::vector<std::string> Watchers::patterns() {
  std::vector<std::string> all;
  for (const std::weak_ptr<Entry>& each : entries_) {
    auto entry = each.lock();
    if (entry != nullptr && std::ranges::find(all, entry->pattern) == all.end()) {
      all.push_back(entry->pattern);
    }
  }
  return all;
}

void Watchers::forget() {
  std::erase_if(entries_, [](const std::weak_ptr<Entry>& each) { return each.expired(); });
}

}  // namespace weft::sensor
