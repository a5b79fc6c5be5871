#include "capabilities/sql/drivers/pooled/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <random>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "io/loop.h"
#include "remote/health.h"

namespace weft::sql::pooled {
namespace {

namespace asio = boost::asio;
using Clock = Deadline::Clock;

// How long making a connection may take, whatever the statement's own time.
constexpr auto kConnecting = std::chrono::seconds(10);

}  // namespace

// Ends its wait by `timer`: cancelled when it is its turn, fired at its deadline.
struct Connections::Waiter {
  Waiter(Connections& of, Deadline deadline)
      : pool(of), timer(of.loop_.executor(), deadline.when()) {
    pool.waiting_.push_back(this);
  }
  Waiter(const Waiter&) = delete;
  // Also when its loop goes, with all tasks.
  ~Waiter() { std::erase(pool.waiting_, this); }

  Connections& pool;
  asio::steady_timer timer;
  bool called = false;
};

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    give_back();
    pool_ = std::move(other.pool_);
    connection_ = std::move(other.connection_);
  }
  return *this;
}

void Lease::give_back() {
  if (pool_ == nullptr) return;
  auto pool = std::move(pool_);
  pool->give_back(std::move(connection_));
}

Connections::Connections(Loop& loop, std::shared_ptr<const System> system, std::string place,
                         std::size_t most)
    : loop_(loop),
      system_(std::move(system)),
      place_(std::move(place)),
      most_(most),
      breaker_(std::random_device()()) {}

void Connections::give_back(std::unique_ptr<Connection> connection) {
  if (connection != nullptr && connection->usable()) free_.push_back(std::move(connection));
  call_next();
}

// The place of one that has gone is the next one's, or nobody's.
void Connections::call_next() {
  if (waiting_.empty()) {
    CHECK(out_ > 0);
    --out_;
    return;
  }
  Waiter* next = waiting_.front();
  waiting_.pop_front();
  next->called = true;
  next->timer.cancel();
}

Wait<Or<void>> Connections::turn(Deadline deadline) {
  if (waiting_.size() >= kWaitingMax) {
    co_return failed(
        Failure::busy(fmt::format("{} statements wait for a connection already", waiting_.size())));
  }
  Waiter waiter(*this, deadline);
  static_cast<void>(co_await waiter.timer.async_wait(asio::as_tuple(asio::use_awaitable)));
  if (waiter.called) co_return Or<void>();
  co_return failed(Failure::timeout("others used all connections until the time was up"));
}

// Whether an attempt may be made; waits for it while there still is patience.
Wait<bool> Connections::may_try(Deadline deadline) {
  while (!breaker_.may_try(Clock::now())) {
    if (!breaker_.closed() || deadline.passed()) co_return false;
    asio::steady_timer timer(loop_.executor(), std::min(breaker_.next(), deadline.when()));
    static_cast<void>(co_await timer.async_wait(asio::as_tuple(asio::use_awaitable)));
  }
  co_return true;
}

Wait<Or<std::unique_ptr<Connection>>> Connections::connect(Deadline deadline) {
  while (co_await may_try(deadline)) {
    auto began = Clock::now();
    auto opened =
        co_await system_->connect(loop_, place_, earlier(deadline, Deadline::after(kConnecting)));
    if (opened) {
      breaker_.succeeded();
      system_->health()->up();
      if (std::exchange(problem_, std::nullopt)) {
        log::info("sql", "the server is there again", {{"server", system_->health()->server()}});
      }
      co_return opened;
    }
    system_->health()->down();
    // The words may differ with each attempt; whether it is away or refuses us is news.
    bool away = opened.error().is<Failure::Unavailable>();
    if (!problem_ || problem_->is<Failure::Unavailable>() != away) {
      log::warn("sql", "there is no connection", {{"why", to_text(opened.error())}});
    }
    problem_ = opened.error();
    breaker_.failed(began, Clock::now());
    // What is refused by a server that is there is refused again.
    if (!opened.error().is<Failure::Unavailable>()) co_return opened;
  }
  co_return failed(problem_ ? *problem_ : Failure::timeout("the time was up before it began"));
}

Wait<Or<Lease>> Connections::take(Deadline deadline) {
  auto self = shared_from_this();
  if (out_ < most_) {
    ++out_;
  } else {
    auto turned = co_await turn(deadline);
    if (!turned) co_return failed(std::move(turned).error());
  }
  // From here on the place is this one's: the lease gives it back, whatever it holds.
  Lease lease(self);
  while (!free_.empty()) {
    auto connection = std::move(free_.back());
    free_.pop_back();
    // One that the server has closed meanwhile is not worth a failure.
    if (!connection->usable() || !connection->alive()) continue;
    lease.put(std::move(connection));
    co_return lease;
  }
  auto opened = co_await connect(deadline);
  if (!opened) co_return failed(std::move(opened).error());
  lease.put(*std::move(opened));
  co_return lease;
}

}  // namespace weft::sql::pooled
