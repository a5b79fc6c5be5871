#include "io/loop.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <deque>
#include <exception>
#include <latch>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/thread_name.h"
#include "io/timer.h"

namespace weft {
namespace {

thread_local Loop* current_loop = nullptr;

// Handlers that run, and how long, until what was deferred to the end of their batch does. One send
// after each handler would hand the processor to the client, and the caches with it.
constexpr int kBatchMax = 32;
constexpr std::chrono::microseconds kBatchTime{1'000};

Result<void> outcome(const std::exception_ptr& problem, Result<void> result) {
  if (!problem) return result;
  try {
    std::rethrow_exception(problem);
  } catch (const std::exception& error) {
    return failure(Errc::kInternal, error.what());
  } catch (...) {
    return failure(Errc::kInternal, "an exception of an unknown type");
  }
}

}  // namespace

struct Loop::Impl {
  std::unique_ptr<Timers> timers;
  std::vector<Work> deferred;
  std::vector<Work> last;
  std::vector<Work> running;
  std::deque<Work> idle;
  Deadline::Clock::time_point idle_ran{};  // When the last of `idle` did.
  Deadline::Clock::time_point now{};
  unsigned depth = 0;
  bool now_known = false;
  bool drain_posted = false;
  bool in_batch = false;  // More handlers may run before `last` does.
  // One thread: the scheduler skips the wake-ups between threads and keeps its locks. Goes first of
  // all: what is dropped with it may still defer.
  boost::asio::io_context context{1};
};

Loop::Loop() : impl_(std::make_unique<Impl>()) {
  impl_->timers = std::make_unique<Timers>(*this);
}

// The system timer goes before the context, and the wheel after it: an operation that is dropped
// with the context may own a timer of the wheel.
Loop::~Loop() {
  CHECK(current_loop != this);
  impl_->deferred.clear();
  impl_->last.clear();
  impl_->idle.clear();
  impl_->timers->stop();
}

boost::asio::io_context& Loop::context() {
  return impl_->context;
}
boost::asio::any_io_executor Loop::executor() {
  return impl_->context.get_executor();
}
Timers& Loop::timers() {
  return *impl_->timers;
}
Loop* Loop::current() {
  return current_loop;
}

void Loop::run() {
  CHECK(current_loop == nullptr);
  current_loop = this;
  auto guard = boost::asio::make_work_guard(impl_->context);
  for (;;) {
    try {
      // What a handler threw left its batch open.
      if (impl_->in_batch) end_batch();
      while (run_batch()) continue;
      break;
    } catch (const std::exception& error) {
      log::error("loop", "a handler threw", {{"what", error.what()}});
    }
  }
  if (impl_->in_batch) end_batch();
  current_loop = nullptr;
}

// Waits for a handler where there is nothing else to do, and runs those that are ready with it.
// False: the loop was stopped.
bool Loop::run_batch() {
  impl_->in_batch = true;
  std::size_t more = impl_->idle.empty() ? impl_->context.run_one() : impl_->context.poll_one();
  Deadline::Clock::time_point now = Deadline::Clock::now();
  Deadline::Clock::time_point until = now + kBatchTime;
  for (int i = 1; more != 0 && i < kBatchMax && now < until; ++i) {
    more = impl_->context.poll_one();
    now = Deadline::Clock::now();
  }
  end_batch();
  if (impl_->context.stopped()) return false;
  if (!impl_->idle.empty() && (more == 0 || now - impl_->idle_ran >= kIdleWorkWait)) run_idle();
  return true;
}

void Loop::run_idle() {
  Turn turn(*this);
  Work work = std::move(impl_->idle.front());
  impl_->idle.pop_front();
  work();
  impl_->idle_ran = Deadline::Clock::now();
}

void Loop::end_batch() {
  impl_->in_batch = false;
  if (impl_->last.empty()) return;
  Turn turn(*this);
}

void Loop::stop() {
  impl_->context.stop();
}

void Loop::post(Work work) {
  boost::asio::post(impl_->context, [this, work = std::move(work)]() mutable {
    Turn turn(*this);
    work();
  });
}

// Outside a turn, in a coroutine for example, nobody comes by to run what is deferred: the queue
// does.
void Loop::post_drain() {
  if (std::exchange(impl_->drain_posted, true)) return;
  boost::asio::post(impl_->context, [this] {
    impl_->drain_posted = false;
    Turn turn(*this);
  });
}

void Loop::defer(Work work) {
  CHECK(current_loop == this || current_loop == nullptr);
  impl_->deferred.push_back(std::move(work));
  if (impl_->depth == 0) post_drain();
}

void Loop::defer_last(Work work) {
  CHECK(current_loop == this || current_loop == nullptr);
  impl_->last.push_back(std::move(work));
  if (impl_->depth == 0) post_drain();
}

void Loop::defer_idle(Work work) {
  CHECK(current_loop == this || current_loop == nullptr);
  impl_->idle.push_back(std::move(work));
}

void Loop::run_all(std::vector<Work>& works) {
  impl_->running.swap(works);
  for (Work& work : impl_->running) {
    try {
      work();
    } catch (const std::exception& error) {
      log::error("loop", "deferred work threw", {{"what", error.what()}});
    }
  }
  impl_->running.clear();
}

void Loop::run_deferred() {
  if (!impl_->deferred.empty()) run_all(impl_->deferred);
  if (!impl_->in_batch && !impl_->last.empty()) run_all(impl_->last);
}

Loop::Turn::Turn(Loop& loop) : loop_(loop) {
  ++loop_.impl_->depth;
}

Loop::Turn::~Turn() {
  Impl& impl = *loop_.impl_;
  if (impl.depth == 1) loop_.run_deferred();
  --impl.depth;
  if (impl.depth > 0) return;
  impl.now_known = false;
  // What was deferred meanwhile waits for the sockets to have their turn.
  if (!impl.deferred.empty() || (!impl.in_batch && !impl.last.empty())) loop_.post_drain();
}

Deadline::Clock::time_point Loop::now() {
  Impl& impl = *impl_;
  if (impl.depth == 0) return Deadline::Clock::now();
  if (!impl.now_known) {
    impl.now = Deadline::Clock::now();
    impl.now_known = true;
  }
  return impl.now;
}

void Loop::spawn(Task<void> task, std::move_only_function<void(Result<void>)> done) {
  boost::asio::co_spawn(impl_->context, std::move(task),
                        [this, done = std::move(done)](const std::exception_ptr& problem,
                                                       Result<void> result) mutable {
                          Turn turn(*this);
                          done(outcome(problem, std::move(result)));
                        });
}

void Loop::spawn(Task<void> task) {
  spawn(std::move(task), [](Result<void> result) {
    if (!result) log::error("loop", "a task failed", {{"error", result.error().message()}});
  });
}

Loops::Loops(Options options) : options_(std::move(options)) {
  CHECK(options_.count > 0);
  for (std::size_t i = 0; i < options_.count; ++i) loops_.push_back(std::make_unique<Loop>());
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    threads_.emplace_back([this, i] {
      Loop& loop = *loops_[i];
      name_thread(fmt::format("weft-loop-{}", i));
      if (options_.started) options_.started(loop);
      loop.run();
      if (options_.stopping) options_.stopping(loop);
    });
  }
}

Loops::~Loops() {
  stop();
}

void Loops::on_each(const std::function<void(Loop&, std::size_t)>& work) {
  CHECK(Loop::current() == nullptr && !threads_.empty());
  std::latch done(static_cast<std::ptrdiff_t>(loops_.size()));
  std::vector<std::exception_ptr> thrown(loops_.size());
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    loops_[i]->post([&, i] {
      try {
        work(*loops_[i], i);
      } catch (...) {
        thrown[i] = std::current_exception();
      }
      done.count_down();
    });
  }
  done.wait();
  for (const std::exception_ptr& each : thrown) {
    if (each != nullptr) std::rethrow_exception(each);
  }
}

void Loops::stop() {
  for (auto& loop : loops_) loop->stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace weft
