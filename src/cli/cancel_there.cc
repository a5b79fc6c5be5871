#include "cli/cancel_there.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cstdio>

#include "base/console.h"
#include "base/shown_text.h"
#include "base/thread_name.h"
#include "io/loop.h"
#include "remote/http/signal.h"

namespace weft {
namespace {

// The request may still be on its way there.
constexpr std::chrono::milliseconds kAgainAfter{100};
// As the shell has it.
constexpr int kSignalled = 128;

}  // namespace

CancelOnSignal::CancelOnSignal(Loop& loop, node::client::RemoteNode& node, StopSignals& signals)
    : loop_(loop), node_(node), signals_(signals) {
  signals_.hold();
  thread_ = std::thread([this] { watch(); });
}

CancelOnSignal::~CancelOnSignal() {
  finish();
}

std::optional<int> CancelOnSignal::finish() {
  if (thread_.joinable()) {
    over_ = true;
    signals_.interrupt();
    thread_.join();
  }
  // What asks uses the node.
  if (asks_) {
    loop_.run();
    loop_.context().restart();
  }
  if (signal_ == 0) return std::nullopt;
  return kSignalled + signal_;
}

void CancelOnSignal::watch() {
  name_thread("weft signals");
  std::optional<int> first = signals_.wait();
  if (!first) return;
  signal_ = *first;
  loop_.post([this, number = *first] { cancel(number); });
  // Outside the loop: that may be writing to a pipe which nobody reads.
  std::optional<int> second = signals_.wait(Deadline::after(kCancelMax));
  if (over_) return;
  if (second) ::_exit(kSignalled + *second);
  leave(*first, fmt::format("the node does not answer within {} s", kCancelMax.count()));
}

void CancelOnSignal::cancel(int signal) {
  asks_ = true;
  loop_.spawn(ask(Deadline::after(kCancelMax)), [this, signal](Result<void> asked) {
    asks_ = false;
    if (!asked && !over_) leave(signal, asked.error().message());
    if (over_) loop_.stop();
  });
}

Task<void> CancelOnSignal::ask(Deadline deadline) {
  for (;;) {
    // What is not asked for yet is not begun once this process is gone.
    const std::optional<node::Hash>& run = node_.last();
    if (!run) ::_exit(kSignalled + signal_);
    auto asked = co_await node_.cancel(*run, deadline);
    if (asked || asked.error().code() != Errc::kNotFound) co_return asked;
    CO_TRY_VOID(co_await remote::pause(loop_, Deadline::after(kAgainAfter)));
    if (over_ || deadline.passed()) co_return asked;
  }
}

void CancelOnSignal::leave(int signal, const std::string& why) {
  say(fmt::format("weft: the run was not cancelled and may go on there, to its limit: {}",
                  without_controls(why)));
  ::_exit(kSignalled + signal);
}

}  // namespace weft
