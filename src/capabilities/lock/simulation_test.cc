// Shows, under a seeded clock with pauses, lost messages and restarts, that no two holders have one
// token, that tokens grow, and that a store which checks them takes no stale write; and that
// drivers which are wrong on purpose are found out.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "capabilities/lock/drivers/nats/record.h"
#include "capabilities/lock/drivers/table.h"
#include "capabilities/lock/lease.h"

namespace weft::lock {
namespace {

constexpr Milliseconds kTtl{200};
constexpr std::int64_t kLength = 20'000;  // Of a run, in milliseconds that nobody waits for.
constexpr int kGuests = 5;
constexpr unsigned kSeeds = 30;

// True time, which nobody in it knows, and what happens when.
class World {
 public:
  explicit World(unsigned seed) : random_(seed) {}

  std::int64_t now() const { return now_; }
  Clock::time_point clock() const { return Clock::time_point(Milliseconds(now_)); }
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(random_);
  }
  bool chance(int percent) { return between(1, 100) <= percent; }

  void after(std::int64_t wait, std::function<void()> what) {
    events_.push({now_ + wait, count_++, std::move(what)});
  }
  // By a network that delays and loses.
  void send(std::function<void()> what) {
    if (now_ < cut_until_ || chance(3)) return;
    after(chance(10) ? between(50, 400) : between(1, 10), std::move(what));
  }
  void cut(std::int64_t length) { cut_until_ = now_ + length; }
  void run() {
    while (!events_.empty() && events_.top().when < kLength) {
      Event event = events_.top();
      events_.pop();
      now_ = event.when;
      event.what();
    }
  }

 private:
  struct Event {
    std::int64_t when;
    std::uint64_t number;
    std::function<void()> what;
    bool operator<(const Event& other) const {
      return std::pair(when, number) > std::pair(other.when, other.number);
    }
  };

  std::mt19937_64 random_;
  std::int64_t now_ = 0;
  std::int64_t cut_until_ = 0;
  std::uint64_t count_ = 0;
  std::priority_queue<Event> events_;
};

struct Grant {
  std::uint64_t token = 0;  // 0: somebody else has it.
  std::size_t number = 0;   // In the order in which the lock was given out.
};

// Sees everything, and a store that refuses tokens smaller than the largest that it has seen.
struct Oracle {
  std::set<std::uint64_t> tokens;
  std::size_t grants = 0;
  std::uint64_t stored = 0;      // The largest token of a write.
  std::size_t stored_grant = 0;  // And the latest grant of one that was taken.
  std::size_t taken = 0;
  std::size_t refused = 0;
  // What may not be.
  std::size_t same_token = 0;
  std::size_t smaller_token = 0;
  std::size_t stale = 0;
  std::size_t two_holders = 0;

  Grant granted(std::uint64_t token) {
    if (!tokens.empty() && token < *tokens.rbegin()) ++smaller_token;
    if (!tokens.insert(token).second) ++same_token;
    return {token, ++grants};
  }
  void write(const Grant& grant) {
    if (grant.token < stored) {
      ++refused;
      return;
    }
    stored = grant.token;
    ++taken;
    if (grant.number < stored_grant) ++stale;
    stored_grant = std::max(stored_grant, grant.number);
  }
  std::size_t wrong() const { return same_token + smaller_token + stale; }
};

// Where the lock is kept. A reply may never come.
class Keeper {
 public:
  Keeper(World& there, Oracle& sees) : world(there), oracle(sees) {}
  virtual ~Keeper() = default;
  virtual void take(int guest, std::string holder, std::function<void(Grant)> reply) = 0;
  virtual void renew(int guest, std::string holder, Milliseconds ttl,
                     std::function<void(bool)> reply) = 0;
  virtual void release(int guest, std::string holder) = 0;
  virtual void restart() = 0;
  // Its guests go when it restarts.
  virtual bool takes_guests_along() const { return false; }

  World& world;
  Oracle& oracle;
};

enum class Wrong : std::uint8_t { kNothing, kForgetsTokens, kComparesNothing, kFreesForAnybody };

// drivers/table: in the guests' process, with tokens that outlive it; or, `remote`, a server with
// its own clock that is asked over the network and may lose who holds what.
class TableKeeper final : public Keeper {
 public:
  TableKeeper(World& there, Oracle& sees, bool remote, Wrong wrong)
      : Keeper(there, sees), remote_(remote), wrong_(wrong) {}

  void take(int, std::string holder, std::function<void(Grant)> reply) override {
    asked([=, this] {
      LockTable::Taken taken = table_->take("lock", holder, kTtl, world.clock());
      if (taken.needs_tokens) {
        table_->add_tokens(counter_ += kTokensAtOnce);
        taken = table_->take("lock", holder, kTtl, world.clock());
      }
      Grant grant = taken.token == 0 ? Grant() : oracle.granted(taken.token);
      if (grant.token != 0) holder_ = holder;
      answered([=] { reply(grant); });
    });
  }
  void renew(int, std::string holder, Milliseconds ttl, std::function<void(bool)> reply) override {
    asked([=, this] {
      bool held = table_->renew("lock", holder, ttl, world.clock());
      answered([=] { reply(held); });
    });
  }
  void release(int, std::string holder) override {
    asked([=, this] {
      bool anybody = wrong_ == Wrong::kFreesForAnybody;
      table_->release("lock", anybody ? holder_ : holder, world.clock());
    });
  }
  void restart() override {
    table_ = std::make_unique<LockTable>();
    if (wrong_ == Wrong::kForgetsTokens) counter_ = 0;
  }
  bool takes_guests_along() const override { return !remote_; }

 private:
  void asked(std::function<void()> what) {
    if (!remote_) return what();
    world.send(std::move(what));
  }
  void answered(std::function<void()> what) { asked(std::move(what)); }

  const bool remote_;
  const Wrong wrong_;
  std::unique_ptr<LockTable> table_ = std::make_unique<LockTable>();
  std::uint64_t counter_ = 0;  // On a disk.
  std::string holder_;
};

// drivers/nats: an entry in a store that compares and swaps, changed by hosts whose calendars
// differ.
class EntryKeeper final : public Keeper {
 public:
  EntryKeeper(World& there, Oracle& sees, Wrong wrong) : Keeper(there, sees), wrong_(wrong) {
    for (std::int64_t& each : ahead_) each = world.between(0, kClocksDiffer.count());
  }

  void take(int guest, std::string holder, std::function<void(Grant)> reply) override {
    change(
        [=, this](const std::optional<Record>& last) -> std::optional<Record> {
          if (last && !last->free(calendar(guest))) return std::nullopt;
          return Record::next(last, 1, holder, calendar(guest) + kTtl.count());
        },
        [=, this](const std::optional<Record>& written) {
          return written ? oracle.granted(written->token) : Grant();
        },
        reply);
  }
  void renew(int guest, std::string holder, Milliseconds ttl,
             std::function<void(bool)> reply) override {
    change(
        [=, this](const std::optional<Record>& last) -> std::optional<Record> {
          if (!last || last->holder != holder) return std::nullopt;
          return Record{last->token, calendar(guest) + ttl.count(), holder};
        },
        [](const std::optional<Record>& written) { return written.has_value(); }, reply);
  }
  void release(int, std::string holder) override {
    change(
        [=](const std::optional<Record>& last) -> std::optional<Record> {
          if (!last || last->holder != holder) return std::nullopt;
          return Record{last->token, 0, ""};
        },
        [](const std::optional<Record>& written) { return written.has_value(); }, [](bool) {});
  }
  void restart() override {}

 private:
  std::int64_t calendar(int guest) const {
    return world.now() + ahead_[static_cast<std::size_t>(guest)];
  }

  // Reads, decides, and writes if nobody else has written meanwhile: each over the network.
  template <class Decide, class Settle, class Reply>
  void change(Decide decide, Settle settle, Reply reply) {
    world.send([=, this] {
      world.send([=, this, seen = entry_, version = version_] {
        std::optional<Record> last;
        if (!seen.empty()) last = Record::parse(seen).value();
        std::optional<Record> next = decide(last);
        if (!next) return reply(settle(next));
        world.send([=, this] {
          if (version != version_ && wrong_ != Wrong::kComparesNothing) return;
          entry_ = next->text();
          ++version_;
          world.send([reply, outcome = settle(next)] { reply(outcome); });
        });
      });
    });
  }

  const Wrong wrong_;
  std::int64_t ahead_[kGuests];
  std::string entry_;
  std::uint64_t version_ = 0;
};

// Takes the lock over and over, and writes while it believes that it holds it.
class Guest {
 public:
  Guest(int number, Keeper& keeper, std::vector<std::unique_ptr<Guest>>& all)
      : number_(number), keeper_(keeper), world_(keeper.world), all_(all) {}

  void begin() {
    int life = ++life_;
    lease_.reset();
    renewing_ = false;
    holder_ = std::to_string(number_) + "0" + std::to_string(++count_);
    Clock::time_point asked = world_.clock();
    keeper_.take(number_, holder_, [=, this](Grant grant) {
      if (life != life_) return;
      if (grant.token == 0) return later(life, 20);
      Lease lease(grant.token, asked, kTtl);
      // An answer that came too late.
      if (!lease.held(world_.clock())) return let_go(life);
      for (const auto& each : all_) {
        if (each->believes()) ++keeper_.oracle.two_holders;
      }
      lease_ = lease;
      work(life, grant, static_cast<int>(world_.between(1, 6)));
    });
    // Without an answer it asks anew.
    world_.after(500, [=, this] {
      if (life == life_ && !lease_) let_go(life);
    });
  }
  // With what it had under way, but for what it has sent.
  void die() {
    ++life_;
    lease_.reset();
    world_.after(world_.between(1, 50), [this] { begin(); });
  }
  bool believes() const { return lease_ && lease_->held(world_.clock()); }

 private:
  void work(int life, Grant grant, int steps) {
    if (life != life_) return;
    if (!believes() || steps == 0) return let_go(life);
    // A pause comes when it is worst: after it has looked, before it writes.
    std::int64_t pause = world_.chance(10) ? world_.between(0, 900) : world_.between(0, 15);
    world_.after(pause, [=, this] {
      // What is on its way arrives also when its host is gone.
      world_.send([this, grant] { keeper_.oracle.write(grant); });
      if (life != life_) return;
      if (!world_.chance(50)) return work(life, grant, steps - 1);
      Clock::time_point asked = world_.clock();
      // One after the other, as a hold does it.
      if (believes() && !renewing_) {
        renewing_ = true;
        // Also for less than is left.
        Milliseconds ttl = world_.chance(50) ? kTtl : kTtl / 4;
        lease_->maybe_renewed(asked, ttl);
        keeper_.renew(number_, holder_, ttl, [=, this](bool held) {
          if (life != life_ || !lease_) return;
          renewing_ = false;
          if (held) lease_->renewed(asked, ttl);
          if (!held) lease_->end(world_.clock());
        });
      }
      world_.after(20, [=, this] { work(life, grant, steps - 1); });
    });
  }
  void let_go(int life) {
    lease_.reset();
    keeper_.release(number_, holder_);
    later(life, 5);
  }
  void later(int life, std::int64_t wait) {
    world_.after(world_.between(1, wait), [=, this] {
      if (life == life_) begin();
    });
  }

  const int number_;
  Keeper& keeper_;
  World& world_;
  std::vector<std::unique_ptr<Guest>>& all_;
  std::optional<Lease> lease_;
  bool renewing_ = false;
  std::string holder_;
  int count_ = 0;
  int life_ = 0;
};

using MakeKeeper = std::function<std::unique_ptr<Keeper>(World&, Oracle&)>;

Oracle simulate(unsigned seed, const MakeKeeper& make) {
  World world(seed);
  Oracle oracle;
  auto keeper = make(world, oracle);
  std::vector<std::unique_ptr<Guest>> guests;
  for (int i = 0; i < kGuests; ++i) guests.push_back(std::make_unique<Guest>(i, *keeper, guests));
  for (auto& each : guests) each->begin();
  for (std::int64_t when = 0; when < kLength; when += world.between(500, 3000)) {
    world.after(when, [&] { world.cut(world.between(50, 800)); });
  }
  for (std::int64_t when = 1500; when < kLength; when += world.between(1000, 5000)) {
    world.after(when, [&] {
      keeper->restart();
      if (!keeper->takes_guests_along()) return;
      for (auto& each : guests) each->die();
    });
  }
  world.run();
  return oracle;
}

// All seeds added up; each has to have something in it.
Oracle simulate_all(const MakeKeeper& make) {
  Oracle all;
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    Oracle one = simulate(seed, make);
    EXPECT_GT(one.taken, 20U) << "seed " << seed;
    all.grants += one.grants;
    all.taken += one.taken;
    all.refused += one.refused;
    all.same_token += one.same_token;
    all.smaller_token += one.smaller_token;
    all.stale += one.stale;
    all.two_holders += one.two_holders;
  }
  return all;
}

MakeKeeper table(bool remote, Wrong wrong) {
  return [=](World& world, Oracle& oracle) -> std::unique_ptr<Keeper> {
    return std::make_unique<TableKeeper>(world, oracle, remote, wrong);
  };
}
MakeKeeper entry(Wrong wrong) {
  return [=](World& world, Oracle& oracle) -> std::unique_ptr<Keeper> {
    return std::make_unique<EntryKeeper>(world, oracle, wrong);
  };
}

TEST(LockSimulation, TheEmbeddedDriverOverRestarts) {
  Oracle seen = simulate_all(table(false, Wrong::kNothing));
  EXPECT_EQ(seen.same_token, 0U);
  EXPECT_EQ(seen.smaller_token, 0U);
  EXPECT_EQ(seen.stale, 0U);
  EXPECT_EQ(seen.two_holders, 0U);
  // Pauses made writes late, and the tokens had them refused.
  EXPECT_GT(seen.refused, 0U);
}

TEST(LockSimulation, AServerThatLosesWhoHoldsWhat) {
  Oracle seen = simulate_all(table(true, Wrong::kNothing));
  EXPECT_EQ(seen.wrong(), 0U);
  EXPECT_GT(seen.refused, 0U);
  // Which is when two believe that they hold the lock: the tokens have to tell them apart.
  EXPECT_GT(seen.two_holders, 0U);
}

TEST(LockSimulation, AnEntryThatHostsWithDifferentCalendarsSwap) {
  Oracle seen = simulate_all(entry(Wrong::kNothing));
  EXPECT_EQ(seen.wrong(), 0U);
  EXPECT_EQ(seen.two_holders, 0U);
  EXPECT_GT(seen.grants, 100U);
}

TEST(LockSimulation, FindsOutTokensThatBeginAnew) {
  Oracle seen = simulate_all(table(false, Wrong::kForgetsTokens));
  EXPECT_GT(seen.same_token, 0U);
  EXPECT_GT(seen.stale, 0U);
}

TEST(LockSimulation, FindsOutASwapThatComparesNothing) {
  Oracle seen = simulate_all(entry(Wrong::kComparesNothing));
  EXPECT_GT(seen.same_token, 0U);
}

TEST(LockSimulation, FindsOutAReleaseByWhoDoesNotHoldTheLock) {
  Oracle seen = simulate_all(table(false, Wrong::kFreesForAnybody));
  EXPECT_GT(seen.two_holders, 0U);
}

}  // namespace
}  // namespace weft::lock
