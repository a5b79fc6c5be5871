#include "node/daemon/readers.h"

#include <deque>
#include <mutex>
#include <utility>

#include "io/loop.h"
#include "node/daemon/across.h"

namespace weft::node::daemon {
namespace {

using Record = runs::OutputReader::Record;

class NearReader final : public wire::OutputReader {
 public:
  // What is posted for it looks whether this is there.
  const std::shared_ptr<void>& alive() const { return alive_; }
  void begin(std::unique_ptr<runs::OutputReader> reader) { reader_ = std::move(reader); }

  BytesView next() override {
    record_ = reader_->next();
    return record_ == nullptr ? BytesView() : BytesView(*record_);
  }
  bool over() const override { return reader_->over(); }

 private:
  const std::shared_ptr<void> alive_ = std::make_shared<int>(0);
  std::unique_ptr<runs::OutputReader> reader_;
  Record record_;
};

// A log's wake comes from inside it: this calls `then` in a turn of the loop's, unless `alive` is
// gone by then.
std::function<void()> posted(Loop& loop, std::weak_ptr<void> alive, std::function<void()> then) {
  return [&loop, alive = std::move(alive), then = std::move(then)] {
    loop.post([alive, then] {
      if (auto held = alive.lock()) then();
    });
  };
}

// What two loops share of one stream.
struct Between {
  std::mutex mutex;
  std::deque<Record> records;
  std::size_t bytes = 0;
  bool over = false;     // The last record is among them, or was.
  bool waiting = false;  // The reader has taken all there was.
};

// The end on the run's loop. Shared with what is posted there.
class Pump : public std::enable_shared_from_this<Pump> {
 public:
  Pump(std::shared_ptr<Between> between, std::function<void()> told)
      : between_(std::move(between)), told_(std::move(told)) {}

  void begin(std::unique_ptr<runs::OutputReader> reader) { reader_ = std::move(reader); }

  void move() {
    bool news = false;
    for (;;) {
      std::unique_lock hold(between_->mutex);
      if (between_->bytes >= kBetweenLoopsMax || between_->over) break;
      hold.unlock();
      Record record = reader_->next();
      if (record == nullptr) break;
      hold.lock();
      between_->bytes += record->size();
      between_->records.push_back(std::move(record));
      between_->over = reader_->over();
      news |= std::exchange(between_->waiting, false);
    }
    if (news) told_();
  }

 private:
  const std::shared_ptr<Between> between_;
  const std::function<void()> told_;
  std::unique_ptr<runs::OutputReader> reader_;
};

// The end on the connection's loop.
class FarReader final : public wire::OutputReader {
 public:
  FarReader(std::shared_ptr<void> alive, Loop& there, std::shared_ptr<Between> between,
            std::shared_ptr<Pump> pump)
      : alive_(std::move(alive)),
        there_(there),
        between_(std::move(between)),
        pump_(std::move(pump)) {}
  ~FarReader() override {
    // The pump has a reader of that loop's.
    there_.post([pump = std::move(pump_)] {});
  }

  BytesView next() override {
    bool ask = false;
    {
      std::lock_guard hold(between_->mutex);
      if (between_->records.empty()) {
        record_ = nullptr;
        between_->waiting = true;
        return {};
      }
      record_ = std::move(between_->records.front());
      between_->records.pop_front();
      bool full = between_->bytes >= kBetweenLoopsMax;
      between_->bytes -= record_->size();
      ask = full && between_->bytes < kBetweenLoopsMax;
      given_all_ = between_->over && between_->records.empty();
    }
    if (ask) there_.post([pump = pump_] { pump->move(); });
    return *record_;
  }
  bool over() const override { return given_all_; }

 private:
  const std::shared_ptr<void> alive_;  // What is posted to this loop looks whether it is there.
  Loop& there_;
  const std::shared_ptr<Between> between_;
  std::shared_ptr<Pump> pump_;
  Record record_;
  bool given_all_ = false;
};

// One that has given nothing yet.
Result<std::unique_ptr<runs::OutputReader>> paid_reader(runs::Runs& runs, const ReadFrom& what,
                                                        std::function<void()> wake) {
  TRY(auto reader, runs.read(what.run, what.frame, std::move(wake)));
  if (what.pay_again) TRY_VOID(what.pay_again(reader->again()));
  return reader;
}

}  // namespace

Result<std::unique_ptr<wire::OutputReader>> near_reader(Loop& loop, runs::Runs& runs,
                                                        const ReadFrom& what,
                                                        std::function<void()> ready) {
  auto made = std::make_unique<NearReader>();
  TRY(auto reader, paid_reader(runs, what, posted(loop, made->alive(), std::move(ready))));
  made->begin(std::move(reader));
  return made;
}

Task<std::unique_ptr<wire::OutputReader>> far_reader(Loop& here, Loop& there, runs::Runs& runs,
                                                     ReadFrom what, std::function<void()> ready) {
  auto alive = std::make_shared<int>(0);
  auto between = std::make_shared<Between>();
  auto pump = std::make_shared<Pump>(between, posted(here, alive, std::move(ready)));
  CO_TRY_VOID(co_await across(there, here, [&, pump]() -> Result<void> {
    std::weak_ptr<Pump> known = pump;
    auto wake = posted(there, known, [known] {
      if (auto held = known.lock()) held->move();
    });
    TRY(auto reader, paid_reader(runs, what, std::move(wake)));
    pump->begin(std::move(reader));
    pump->move();
    return {};
  }));
  co_return std::make_unique<FarReader>(std::move(alive), there, std::move(between),
                                        std::move(pump));
}

}  // namespace weft::node::daemon
