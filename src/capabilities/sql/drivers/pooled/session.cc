#include "capabilities/sql/drivers/pooled/session.h"

#include <chrono>

#include "io/loop.h"

namespace weft::sql::pooled {
namespace {

// For what a guest does not wait for: without an answer until then the connection is closed, which
// rolls back as well.
constexpr auto kRollingBack = std::chrono::seconds(5);

Task<void> as_task(std::shared_ptr<Session> session, Wait<void> work) {
  co_await std::move(work);
  session.reset();
  co_return Result<void>();
}

}  // namespace

Session::Session(std::shared_ptr<Connections> pool, Times times)
    : pool_(std::move(pool)),
      times_(times),
      idle_(pool_->loop(), [this] { end(Failure::ended("nobody used it for too long")); }) {}

// A lease that is still in its transaction is closed by its pool.
Session::~Session() = default;

Wait<Or<void>> Session::begin(TransactionOptions options, Deadline deadline) {
  auto lease = co_await pool_->take(deadline);
  if (!lease) co_return failed(std::move(lease).error());
  lease_ = *std::move(lease);
  co_return co_await lease_->begin(options, deadline);
}

Or<void> Session::enter() {
  if (ended_) return failed(*ended_);
  if (busy_) return failed(Failure::busy("another call uses it: one at a time"));
  busy_ = true;
  idle_.disarm();
  return {};
}

Wait<void> Session::leave() {
  if (ended_) {
    co_await close();
    co_return;
  }
  busy_ = false;
  idle_.arm(Deadline::after(std::chrono::duration_cast<Deadline::Clock::duration>(times_.idle)));
}

Wait<void> Session::finish(Failure why) {
  if (!ended_) ended_ = std::move(why);
  co_await close();
}

void Session::end(Failure why) {
  if (ended_) return;
  ended_ = std::move(why);
  idle_.disarm();
  if (busy_) return;
  busy_ = true;
  loop().spawn(as_task(shared_from_this(), close()));
}

void Session::drop_cursor(CursorNumber number) {
  if (!ended_) dropped_.push_back(number);
}

Wait<Or<void>> Session::close_dropped(Deadline deadline) {
  if (dropped_.empty()) co_return Or<void>();
  std::vector<CursorNumber> numbers;
  numbers.swap(dropped_);
  co_return co_await lease_->close(numbers, deadline);
}

// By whoever has the use.
Wait<void> Session::close() {
  if (!lease_) co_return;
  if (!lease_->usable() && !lease_->broken()) {
    static_cast<void>(co_await lease_->rollback(Deadline::after(kRollingBack)));
  }
  lease_ = Lease();
}

}  // namespace weft::sql::pooled
