#include "capabilities/keyvalue/watcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "door/values.h"
#include "io/loop.h"

namespace weft::keyvalue {
namespace {

// In the order of the interface's functions.
constexpr std::size_t kOnSet = 0;
constexpr std::size_t kOnDelete = 1;
constexpr std::chrono::seconds kReadMax{10};

}  // namespace

Watcher::Watcher(const Waking& waking, Options options, std::unique_ptr<Store> store, WatchHub& hub)
    : self_(std::make_shared<Watcher*>(this)),
      loop_(waking.loop),
      app_(waking.app),
      component_(waking.component),
      calls_(waking.calls),
      runs_(waking.meter),
      options_(std::move(options)),
      store_(std::move(store)),
      hub_(hub),
      watch_(hub.watch(app_, options_.bucket, options_.prefix, waking.loop, [this] { news(); })),
      later_(waking.loop, [this] { go_on(); }) {}

Watcher::~Watcher() {
  *self_ = nullptr;
  stop();
}

// What was not told yet is told to who watches the same from now on.
void Watcher::stop() {
  if (std::exchange(stopped_, true)) return;
  later_.disarm();
  hub_.end(watch_);
  for (const std::string& key : watch_->take().keys) hub_.changed(app_, options_.bucket, key);
  turns_.clear();
  for (const auto& [key, waiting] : std::exchange(waiting_, {})) {
    hub_.changed(app_, options_.bucket, key);
  }
}

void Watcher::wait(const std::string& key, Waiting waiting) {
  auto [known, added] = waiting_.try_emplace(key, waiting);
  if (!added) {
    turns_.erase({known->second.due, key});
    // What changes again keeps its turn.
    waiting.due = std::min(waiting.due, known->second.due);
    known->second = waiting;
  }
  turns_.emplace(waiting.due, key);
}

void Watcher::news() {
  Watch::Taken changed = watch_->take();
  std::size_t lost = changed.lost;
  for (const std::string& key : changed.keys) {
    if (waiting_.size() < kWatchKeysMax || waiting_.contains(key)) {
      // A change is a reason to begin anew with one that failed.
      wait(key, {.failed = 0, .due = loop_.now()});
    } else {
      ++lost;
    }
  }
  if (lost > 0) {
    log::warn("keyvalue", "changed keys are not told: the component is too slow",
              {{"app", app_}, {"component", component_}, {"keys", std::to_string(lost)}});
  }
  go_on();
}

// Begins what may begin now.
void Watcher::go_on() {
  if (stopped_) return;
  auto now = loop_.now();
  std::vector<std::string> begun;
  for (const auto& [due, key] : turns_) {
    if (under_way_.size() + begun.size() >= options_.at_once) break;
    if (due > now) {
      later_.arm(Deadline::at(due));
      break;
    }
    if (under_way_.contains(key)) continue;  // Comes again when that has ended.
    begun.push_back(key);
  }
  for (const std::string& key : begun) {
    Waiting waiting = waiting_.at(key);
    under_way_.emplace(key, waiting.failed);
    turns_.erase({waiting.due, key});
    waiting_.erase(key);
  }
  for (const std::string& key : begun) ask(key);
}

void Watcher::ask(const std::string& key) {
  // Answers may come at once, or when the watcher has gone.
  auto with_bucket = [self = self_, key](Result<std::unique_ptr<Bucket>> opened) {
    if (*self == nullptr) return Nothing();
    Watcher& watcher = **self;
    if (!opened) {
      watcher.ended(key, std::unexpected(std::move(opened).error()));
      return Nothing();
    }
    Request request{watcher.loop_, Deadline::after(kReadMax)};
    Bucket* bucket = opened->get();
    auto read = bucket->get(request, key)
                    .settle([self, key, owned = *std::move(opened)](
                                Result<std::optional<Bytes>> value) mutable {
                      if (*self == nullptr) return Nothing();
                      if (!value) {
                        (*self)->ended(key, std::unexpected(std::move(value).error()));
                      } else {
                        (*self)->call(key, std::move(owned), *std::move(value));
                      }
                      return Nothing();
                    });
    return Nothing();
  };
  auto opened = store_->open({loop_, Deadline::after(kReadMax)}, {app_, options_.bucket})
                    .settle(std::move(with_bucket));
}

void Watcher::call(const std::string& key, std::unique_ptr<Bucket> bucket,
                   std::optional<Bytes> value) {
  std::size_t function = value ? kOnSet : kOnDelete;
  runs_.begin();
  calls_.call(
      function,
      [write = options_.write_bucket, bucket = std::move(bucket), key,
       value = std::move(value)](Writer& out) mutable {
        write(out, std::move(bucket));
        out.write(std::string_view(key));
        if (value) out.write(BytesView(*value));
      },
      nullptr,
      [self = self_, runs = runs_, key](Result<void> outcome) {
        runs.end(outcome);
        if (*self != nullptr) (*self)->ended(key, std::move(outcome));
      });
}

void Watcher::ended(const std::string& key, Result<void> outcome) {
  auto under_way = under_way_.find(key);
  unsigned failed = under_way->second;
  under_way_.erase(under_way);
  if (!outcome && stopped_) {
    hub_.changed(app_, options_.bucket, key);
  } else if (!outcome && !waiting_.contains(key)) {
    bool no_room = outcome.error().code() == Errc::kUnavailable;
    if (!no_room) ++failed;
    if (failed < kWatchAttempts) {
      auto pause = no_room ? kWatchNoRoom : kWatchRetry * (1 << (failed - 1));
      wait(key, {failed, loop_.now() + pause});
    } else {
      runs_.give_up();
      log::warn("keyvalue", "a changed key is told no more: the handler failed each time",
                {{"app", app_},
                 {"component", component_},
                 {"bucket", options_.bucket},
                 {"key", key},
                 {"why", outcome.error().message()}});
    }
  }
  go_on();
}

}  // namespace weft::keyvalue
