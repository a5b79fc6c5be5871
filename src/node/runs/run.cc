#include "node/runs/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "io/after_sends.h"
#include "io/loop.h"
#include "node/runs/command_line.h"
#include "node/runs/runs.h"
#include "node/runs/typed_call.h"

namespace weft::node::runs {
namespace {

// Bytes that one host call may lift, and a result have, at least: small limits of output are no
// reason for a guest to fail at other calls.
constexpr std::uint64_t kHostcallBytesMin = 1 << 20;
constexpr std::uint64_t kHostcallBytesMax = 32 << 20;

// One line of text, as receipts have it: what is in it may come from a guest.
std::string plain_message(std::string_view text) {
  std::string out(text.substr(0, kReceiptMessageMax));
  for (char& each : out) {
    if (each == '\n') each = ' ';
    if (each < 0x20 || each > 0x7e) each = '?';
  }
  return out;
}

Outcome outcome_of(const RunOutcome& outcome) {
  switch (outcome.ending) {
    case RunOutcome::Ending::kDone:
    case RunOutcome::Ending::kExited: return Outcome::kDone;
    case RunOutcome::Ending::kTrapped: return Outcome::kTrapped;
    case RunOutcome::Ending::kLimited: return Outcome::kLimited;
    case RunOutcome::Ending::kNoRoom:
    case RunOutcome::Ending::kFailed: break;
  }
  return Outcome::kFailed;
}

void add(const GuestRun::Spent& spent, Usage& used) {
  used.cpu_ns += spent.cpu_ns;
  used.memory_peak_bytes = std::max(used.memory_peak_bytes, spent.memory_peak_bytes);
  used.memory_byte_ms += spent.memory_byte_ms;
}

// Of a run that did not begin.
Outcome outcome_of(const Error& error) {
  switch (error.code()) {
    case Errc::kInvalid:
    case Errc::kNotFound:
    case Errc::kUnsupported: return Outcome::kUnfit;
    case Errc::kLimit:
    case Errc::kTimeout: return Outcome::kLimited;
    case Errc::kCancelled: return Outcome::kCancelled;
    default: return Outcome::kFailed;
  }
}

}  // namespace

Run::Run(Runs& runs, RunOrder order)
    : runs_(runs),
      order_(std::move(order)),
      log_(std::make_shared<OutputLog>(order_.name, runs.node_, runs.options_.output_kept_max)),
      began_at_(unix_now()),
      until_(Deadline::after(order_.limits.time)),
      limit_(runs.engine_.loop(),
             [this] {
               stop(Outcome::kLimited, fmt::format("ran longer than its time limit of {} ms",
                                                   order_.limits.time.count()));
             }),
      unread_(runs.engine_.loop(), [this] {
        stop(Outcome::kCancelled, fmt::format("nobody has read what it wrote for {} ms",
                                              runs_.options_.unread_max.count()));
      }) {
  used_.bytes_in = order_.bytes_in;
  limit_.arm(until_);
  log_->on_change([this] {
    if (waits_ || well_) look_later();
  });
}

Run::~Run() {
  log_->on_change({});
}

void Run::go(ModulePlans::Made made) {
  if (ended_) return;
  compiling_.reset();
  used_.compile_ns += static_cast<std::uint64_t>(made.cost.count());
  if (stopped_) return refuse(Error(Errc::kCancelled, stopped_->message));
  if (!made.plan) return refuse(made.plan.error());
  deployed_ = runs_.deployed(order_, *std::move(made.plan));
  Result<void> started = start();
  if (!started) return refuse(started.error());
  began_ = true;
  if (order_.began) order_.began({});
}

Result<void> Run::start() {
  const Plan& plan = *deployed_->plan;
  auto done = [this](RunOutcome outcome, BytesView reply) { returned(std::move(outcome), reply); };
  if (!order_.function.empty()) {
    TRY(auto number, find_call(plan.info().exports, order_.function, order_.arguments));
    guest_ = GuestRun::call(*deployed_->deployment, number, order_.arguments, own({}, {}), done);
  } else {
    if (!plan.is_command()) {
      return failure(Errc::kUnsupported, "the module is no program: it has functions to be called");
    }
    TRY(CommandLine line, read_command_line(order_.arguments));
    guest_ = GuestRun::command(*deployed_->deployment,
                               own(std::move(line.words), std::move(line.input)), done);
  }
  order_.arguments = {};
  return {};
}

GuestRun::Own Run::own(std::vector<std::string> words, Bytes input) {
  Limits limits = deployed_->deployment->limits;
  limits.cpu = order_.limits.cpu;
  limits.memory_bytes = order_.limits.memory_bytes;
  limits.hostcall_bytes =
      std::clamp(order_.limits.output_bytes, kHostcallBytesMin, kHostcallBytesMax);
  WasiGrants grants;
  grants.args = std::move(words);
  grants.input = as_text(input);
  grants.args.insert(grants.args.begin(), deployed_->deployment->component);
  // What it calls of others ends with it; the limit, which comes first, says why.
  auto left = std::chrono::ceil<std::chrono::milliseconds>(until_.when() - Deadline::Clock::now());
  return {.program = deployed_->deployment->program.with(limits, grants),
          .output = this,
          .time = std::max(left, std::chrono::milliseconds(0)) + std::chrono::milliseconds(1),
          .starts = [this](Context& context) {
            ResourcesCapability::attach(context, *this);
            attach_payer(context, *this);
          }};
}

std::size_t Run::room(Stream) {
  // It is stopped as soon as this poll is over.
  if (over_ > 0) return 0;
  std::size_t room = log_->room();
  if (room == 0 && !std::exchange(waits_, true)) look_later();
  return room;
}

void Run::write(Stream stream, BytesView bytes) {
  // Once over its limit it stays so, whatever it writes until it is stopped.
  if (over_ > 0 || bytes.empty()) return;
  std::uint64_t left = output_left();
  over_ = bytes.size() > left ? bytes.size() - left : 0;
  log_->write(OutputStream{static_cast<std::uint8_t>(stream)}, bytes.first(bytes.size() - over_));
  if (over_ > 0) look_later();
}

bool Run::paid_too_much() const {
  return priced_ > std::chrono::nanoseconds(0) &&
         std::chrono::nanoseconds(usage().cpu_ns) > order_.limits.cpu;
}

bool Run::pay(std::chrono::nanoseconds price) {
  // What the guest itself used is not asked from inside its poll.
  if (priced_ + price > order_.limits.cpu) return false;
  priced_ += price;
  look_later();
  return true;
}

Result<void> Run::asks() {
  if (received_ >= order_.limits.link_bytes) return all_came();
  if (!pay(kLinkCallPrice)) {
    return failure(Errc::kLimit, "no processor time is left for a call of another node");
  }
  return {};
}

Result<void> Run::sends(std::size_t bytes) {
  if (bytes > output_left()) {
    return failure(Errc::kLimit, fmt::format("it has moved the {} bytes out that it may, with what "
                                             "it asked of other nodes",
                                             order_.limits.output_bytes));
  }
  sent_ += bytes;
  return {};
}

// What came has come: a piece of each call under way is the most that is beyond the bound.
Result<void> Run::receives(std::size_t bytes) {
  received_ += bytes;
  if (received_ > order_.limits.link_bytes) return all_came();
  return {};
}

std::unexpected<Error> Run::all_came() const {
  return failure(Errc::kLimit, fmt::format("other nodes have sent the {} bytes that it may have "
                                           "of them",
                                           order_.limits.link_bytes));
}

void Run::look_later() {
  if (ended_ || std::exchange(wake_, Wake::kPosted) == Wake::kPosted) return;
  runs_.engine_.loop().defer([self = runs_.self_, name = order_.name] {
    if (*self == nullptr) return;
    auto run = (*self)->all_.find(name);
    if (run != (*self)->all_.end()) run->second->look_again();
  });
}

void Run::look_again() {
  wake_ = Wake::kNone;
  if (ended_) return;
  if (over_ > 0) {
    return stop(Outcome::kLimited,
                fmt::format("wrote more than the {} bytes it may", order_.limits.output_bytes));
  }
  if (paid_too_much()) {
    return stop(Outcome::kLimited, "used up its processor time with questions about the node");
  }
  if (well_) {
    put_result();
    if (ended_) return;
  }
  if (waits_ && log_->room() > 0) {
    waits_ = false;
    if (guest_ && !left_) guest_->has_room();
  }
  bool unread = (waits_ || well_) && log_->readers() == 0;
  if (!unread) {
    unread_.disarm();
  } else if (!unread_.armed()) {
    unread_.arm(Deadline::after(runs_.options_.unread_max));
  }
}

void Run::returned(RunOutcome outcome, BytesView reply) {
  RunEnd well{.outcome = outcome_of(outcome),
              .exit_code = static_cast<std::uint8_t>(outcome.exit_code),
              .message = std::move(outcome.message)};
  if (well.outcome != Outcome::kDone) return end(std::move(well));
  if (over_ + reply.size() > output_left()) {
    return stop(Outcome::kLimited, fmt::format("its output is more than the {} bytes it may write",
                                               order_.limits.output_bytes));
  }
  leave_guest();
  result_.assign(reply.begin(), reply.end());
  well_ = std::move(well);
  put_result();
  if (!ended_) look_later();
}

// As much of it as the log takes.
void Run::put_result() {
  while (put_ < result_.size()) {
    std::size_t part = std::min({log_->room(), result_.size() - put_, kFrameBytesMax});
    if (part == 0) return;
    log_->write(OutputStream::kResult, BytesView(result_).subspan(put_, part));
    put_ += part;
  }
  end(*std::exchange(well_, {}));
}

void Run::refuse(const Error& error) {
  RunEnd how{.outcome = outcome_of(error), .message = error.message()};
  if (stopped_) how.outcome = stopped_->outcome;
  began_ = true;
  if (order_.began) order_.began(std::unexpected(error));
  end(std::move(how));
}

void Run::stop(Outcome outcome, std::string why) {
  if (ended_ || stopped_) return;
  RunEnd how{.outcome = outcome, .message = std::move(why)};
  if (compiling_) {
    stopped_ = std::move(how);
    return runs_.plans_.give_up(*compiling_);
  }
  if (!began_) {
    stopped_ = how;
    return refuse(Error(Errc::kCancelled, how.message));
  }
  end(std::move(how));
}

Usage Run::usage() const {
  Usage used = used_;
  if (guest_ && !left_) add(guest_->spent(), used);
  used.cpu_ns += static_cast<std::uint64_t>(priced_.count());
  used.bytes_in += received_;
  used.bytes_out = bytes_out();
  return used;
}

void Run::take_guest() {
  if (!guest_ || left_) return;
  add(guest_->spent(), used_);
  guest_.reset();
}

// To take an instance apart is a part of what a small call costs: what it put out leaves first.
void Run::leave_guest() {
  add(guest_->spent(), used_);
  left_ = true;
  after_sends(runs_.engine_.loop(), [self = runs_.self_, name = order_.name] {
    if (*self == nullptr) return;
    auto run = (*self)->all_.find(name);
    if (run != (*self)->all_.end()) run->second->drop_guest();
  });
}

void Run::drop_guest() {
  if (!std::exchange(left_, false)) return;
  guest_.reset();
  if (ended_) deployed_.reset();
}

void Run::end(RunEnd how) {
  ended_ = true;
  take_guest();
  if (!left_) deployed_.reset();
  result_ = {};
  order_.arguments = {};
  limit_.disarm();
  unread_.disarm();
  log_->close();
  how.message = plain_message(how.message);
  how.usage = usage();
  how.began = began_at_;
  how.ended = unix_now();
  how.frames = log_->frames();
  how.chain = log_->chain();
  runs_.ended(*this);
  if (order_.ended) order_.ended(how);
}

}  // namespace weft::node::runs
