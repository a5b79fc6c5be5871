#include "provider/session.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "io/loop.h"

namespace weft::provider {
namespace {

// A slot's id is its place and how often it was used, so that a late reply meets nobody.
constexpr unsigned kPlaceBits = 12;
static_assert(kCallsMax + kWaitingMax <= 1U << kPlaceBits);
// Replies up to this are not given a buffer to be read into.
constexpr std::size_t kSmallReply = 4096;
constexpr std::size_t kErrorTextMax = 4096;
constexpr std::chrono::milliseconds kConnectAgain{10};

}  // namespace

// One call, from its begin to the reply. Used again and again.
class Session::Slot : public Source {
 public:
  enum class State : std::uint8_t { kFree, kWaiting, kRunning, kAbandoned };

  Slot(Session& owner, std::uint32_t at)
      : session(owner), place(at), timer(owner.loop_, [this] { session.give_up(*this, late()); }) {}

  std::uint32_t id() const { return generation << kPlaceBits | place; }

  Error late() const {
    const Function& function = done.call().function();
    if (state == State::kWaiting && !done.call().deadline().passed()) {
      return Error(Errc::kUnavailable,
                   fmt::format("{} {}: the {} was not there for {} s", function.interface,
                               function.name, session.who(), kRestartWait.count()));
    }
    return Error(Errc::kTimeout, fmt::format("{} {}: no answer before the deadline",
                                             function.interface, function.name));
  }

  // The next piece of long arguments.
  Next pull(Channel& channel) override {
    told = true;
    BytesView piece = unqueued.first(std::min(unqueued.size(), kBodyMax));
    unqueued = unqueued.subspan(piece.size());
    head.more = !unqueued.empty();
    channel.send_in_place(head, piece, *this);
    head.number = 0;
    head.amount = 0;
    return unqueued.empty() ? Next::kDone : Next::kMore;
  }

  Session& session;
  const std::uint32_t place;
  std::uint32_t generation = 0;
  State state = State::kFree;
  std::uint32_t number = 0;
  Completion done;
  Timer timer;
  FrameHead head;
  BytesView unqueued;
  bool told = false;      // The provider has heard of it, or will.
  bool in_place = false;  // The arguments are sent from where they are.
  Buffer arguments;       // With the connection's numbers, where there are any.
  Given given;
  Buffer reply;
  std::size_t reply_bytes = 0;
  std::uint32_t reply_error = 0;
  bool reply_begun = false;
};

Session::Session(Loop& loop, std::shared_ptr<Roster> roster)
    : loop_(loop),
      roster_(std::move(roster)),
      streams_(loop, Streams::Side::kHost),
      patience_(loop, [this] {
        auto self = shared_from_this();
        if (state_ == State::kDown) return connect();
        broken(Error(Errc::kTimeout, fmt::format("no answer to a new connection within {} s",
                                                 kSessionStart.count())));
      }) {
  for (const OfferedInterface& interface : roster_->offer()) {
    for (const OfferedFunction& function : interface.functions) {
      auto signature = parse_signature(function.signature);
      CHECK(signature.has_value());
      bool plain = !find_handle(signature->result);
      for (const auto& parameter : signature->parameters) {
        plain = plain && !find_handle(parameter.type);
      }
      targets_.push_back({plain, *std::move(signature)});
    }
  }
}

Session::~Session() {
  Error error(Errc::kUnavailable, fmt::format("the {} is no longer used here", who()));
  lost(error);
  state_ = State::kStopped;
  fail_waiting(error);
  roster_->leave(loop_);
}

void Session::changed(const Presence& presence) {
  if (state_ == State::kStopped) return;
  if (const auto* absence = std::get_if<Absence>(&presence)) {
    lost(Error(Errc::kUnavailable,
               fmt::format("it went away during the call: {}", absence->why.message())));
    incarnation_ = nullptr;
    if (!absence->for_good) return;
    state_ = State::kStopped;
    return fail_waiting(absence->why);
  }
  const auto& now = std::get<std::shared_ptr<const Incarnation>>(presence);
  if (incarnation_ != nullptr && incarnation_->number == now->number) return;
  lost(Error(Errc::kUnavailable, fmt::format("the {} was started again", who())));
  incarnation_ = now;
  connect();
}

void Session::connect() {
  if (incarnation_ == nullptr) return;
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  CHECK(incarnation_->socket.size() < sizeof(address.sun_path));
  std::memcpy(address.sun_path, incarnation_->socket.data(), incarnation_->socket.size());
  if (!socket ||
      ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    // Its queue is full, or it is going: then the supervisor will say so.
    return patience_.arm(Deadline::after(kConnectAgain));
  }
  connected(std::move(socket));
}

void Session::connected(Fd socket) {
  state_ = State::kHello;
  patience_.arm(Deadline::after(kSessionStart));
  channel_ = Channel::open(loop_, std::move(socket), *this);
  streams_.open(*channel_);
}

// Ends the connection, and every call on it.
void Session::lost(const Error& error) {
  patience_.disarm();
  if (state_ != State::kStopped) state_ = State::kDown;
  if (channel_ == nullptr) return;
  std::shared_ptr<Channel> channel = std::exchange(channel_, nullptr);
  streams_.fail(error);
  channel->close();
  handshake_ = Buffer();
  std::vector<Completion> ended;
  for (auto& slot : slots_) {
    if (slot->state != Slot::State::kRunning && slot->state != Slot::State::kAbandoned) continue;
    if (slot->done) ended.push_back(std::move(slot->done));
    free_slot(*slot);
  }
  CHECK(running_ == 0);
  for (Completion& done : ended) {
    const Function& function = done.call().function();
    std::move(done).fail(Error(Errc::kUnavailable, fmt::format("{} {}: {}", function.interface,
                                                               function.name, error.message())));
  }
}

void Session::fail_waiting(const Error& error) {
  while (!waiting_.empty()) {
    Slot& slot = *waiting_.front();
    waiting_.pop_front();
    Completion done = std::move(slot.done);
    free_slot(slot);
    std::move(done).fail(error);
  }
}

void Session::broken(Error error) {
  auto self = shared_from_this();
  std::uint64_t number = incarnation();
  lost(Error(Errc::kUnavailable,
             fmt::format("the {} went away during the call: {}", who(), error.message())));
  roster_->report(number, std::move(error));
}

Result<void> Session::on_hello(const FrameHead& head) {
  if (state_ != State::kHello) return failure(Errc::kCorrupt, "a second hello");
  if (head.number != kVersion) {
    return failure(Errc::kUnsupported,
                   fmt::format("it speaks version {} of the protocol", head.number));
  }
  TRY(std::string token, token_of_hello(handshake_.text()));
  if (incarnation_ == nullptr || token != incarnation_->token) {
    return failure(Errc::kDenied, "its hello has another token");
  }
  handshake_.clear();
  state_ = State::kSetup;
  channel_->send_message({.kind = FrameKind::kSetup, .number = kVersion},
                         as_bytes(incarnation_->setup->reveal()));
  return {};
}

Result<void> Session::on_ready(const FrameHead& head) {
  if (state_ != State::kSetup) return failure(Errc::kCorrupt, "a ready at the wrong time");
  if (head.number != 0) {
    return failure(Errc::kUnavailable,
                   fmt::format("it refuses: {}", handshake_.text().substr(0, kErrorTextMax)));
  }
  TRY(Offer offer, read_ready(handshake_.text()));
  if (offer != roster_->offer()) {
    return failure(Errc::kCorrupt, difference(roster_->offer(), offer));
  }
  handshake_ = Buffer();
  patience_.disarm();
  state_ = State::kReady;
  send_waiting();
  return {};
}

Result<Buffer*> Session::body_of(const FrameHead& head) {
  switch (head.kind) {
    case FrameKind::kHello:
    case FrameKind::kReady:
      if (handshake_.size() + head.length > kHandshakeMax) {
        return failure(Errc::kLimit, "its first messages are too long");
      }
      return &handshake_;
    case FrameKind::kReply: break;
    case FrameKind::kData:
    case FrameKind::kCredit:
    case FrameKind::kEnd:
    case FrameKind::kClose:
      if (state_ == State::kReady) return nullptr;
      return failure(Errc::kCorrupt, "a stream before it is ready");
    case FrameKind::kPong: return nullptr;
    default:
      return failure(Errc::kCorrupt, fmt::format("a frame of kind {}, which only weft sends",
                                                 static_cast<unsigned>(head.kind)));
  }
  TRY(Slot * slot, slot_of(head.id));
  if (!slot->reply_begun) slot->reply_error = head.number;
  if (!slot->reply_begun && !head.more && head.length <= kSmallReply) return nullptr;
  slot->reply_begun = true;
  slot->reply_bytes += head.length;
  replies_ += head.length;
  if (replies_ > kRepliesMax && slot->state == Slot::State::kRunning) {
    give_up(*slot, Error(Errc::kLimit, fmt::format("replies of the {} take more than {} bytes",
                                                   who(), kRepliesMax)));
  }
  bool plain = targets_[slot->number].plain && slot->reply_error == 0;
  if (slot->state == Slot::State::kRunning) return plain ? &slot->done.reply() : &slot->reply;
  if (slot->reply_bytes > kRepliesMax) return failure(Errc::kLimit, "a reply without an end");
  // What has no handles in it is not kept.
  if (plain) slot->reply.shrink(kBodyMax);
  return &slot->reply;
}

Result<void> Session::frame(const FrameHead& head, BytesView body) {
  auto self = shared_from_this();
  switch (head.kind) {
    case FrameKind::kHello: return head.more ? Result<void>() : on_hello(head);
    case FrameKind::kReady: return head.more ? Result<void>() : on_ready(head);
    case FrameKind::kReply: return on_reply(head, body);
    case FrameKind::kPong: return {};
    default: return streams_.frame(head, body);
  }
}

Result<Session::Slot*> Session::slot_of(std::uint32_t id) {
  std::uint32_t place = id & ((1U << kPlaceBits) - 1);
  if (place < slots_.size()) {
    Slot& slot = *slots_[place];
    bool runs = slot.state == Slot::State::kRunning || slot.state == Slot::State::kAbandoned;
    // Nothing is answered before it was asked in full, but for what was given up.
    bool asked = slot.unqueued.empty() || slot.state == Slot::State::kAbandoned;
    if (runs && slot.told && slot.id() == id && asked) return &slot;
  }
  return failure(Errc::kCorrupt, fmt::format("a reply to {}, which is no call", id));
}

Result<void> Session::on_reply(const FrameHead& head, BytesView body) {
  if (head.more) return {};
  TRY(Slot * slot, slot_of(head.id));
  if (slot->state == Slot::State::kAbandoned) {
    const Target& target = targets_[slot->number];
    if (!target.plain && slot->reply_error == 0) {
      LetGo let_go(*this);
      Buffer nowhere;
      BytesView reply = slot->reply_begun ? slot->reply.view() : body;
      static_cast<void>(relocate_result(target.signature, reply, let_go, nowhere));
    }
    free_slot(*slot);
  } else {
    answer(*slot, body);
  }
  send_waiting();
  return {};
}

// The slot is free before the caller hears of it, who may call again at once.
void Session::answer(Slot& slot, BytesView body) {
  const Target& target = targets_[slot.number];
  Completion done = std::move(slot.done);
  if (slot.reply_error != 0) {
    std::string_view why = slot.reply_begun ? slot.reply.text() : as_text(body);
    const Function& function = done.call().function();
    Error error(
        code_of(slot.reply_error),
        fmt::format("{} {}: {}", function.interface, function.name, why.substr(0, kErrorTextMax)));
    for (std::uint32_t id : slot.given.streams) streams_.settle(id);
    free_slot(slot);
    return std::move(done).fail(std::move(error));
  }
  if (target.plain) {
    if (!slot.reply_begun) done.reply().append(body);
    free_slot(slot);
    return std::move(done).finish();
  }
  Inbound inbound(*this, done.call().context());
  BytesView reply = slot.reply_begun ? slot.reply.view() : body;
  Result<void> read = relocate_result(target.signature, reply, inbound, done.reply());
  free_slot(slot);
  if (read) return std::move(done).finish();
  std::move(done).fail(std::move(read).error().within(fmt::format("the reply of the {}", who())));
}

void Session::begin(std::uint32_t number, Call& call, Completion done) {
  CHECK(number < targets_.size());
  if (state_ == State::kStopped) {
    return std::move(done).fail(
        Error(Errc::kUnavailable, fmt::format("the {} was stopped", who())));
  }
  bool now =
      state_ == State::kReady && running_ < kCallsMax && waiting_.empty() && !channel_->congested();
  if (!now && waiting_.size() >= kWaitingMax) {
    return std::move(done).fail(
        Error(Errc::kUnavailable,
              fmt::format("{} calls wait for the {} already", waiting_.size(), who())));
  }
  Slot& slot = *take_slot();
  slot.number = number;
  slot.done = std::move(done);
  slot.done.on_cancel(
      [](void* data) {
        auto& waiting = *static_cast<Slot*>(data);
        waiting.session.give_up(waiting, Error(Errc::kCancelled, "the caller has given up"));
      },
      &slot);
  if (now) return send(slot);
  call.keep_arguments();
  slot.state = Slot::State::kWaiting;
  slot.timer.arm(earlier(call.deadline(), Deadline::after(kRestartWait)));
  waiting_.push_back(&slot);
}

void Session::send(Slot& slot) {
  Call& call = slot.done.call();
  const Target& target = targets_[slot.number];
  slot.timer.disarm();
  BytesView arguments = call.arguments();
  if (!target.plain) {
    Outbound outbound(*this, call.context(), slot.given);
    Result<void> moved = relocate_arguments(target.signature, arguments, outbound, slot.arguments);
    if (!moved) {
      for (std::uint32_t id : slot.given.streams) streams_.settle(id);
      for (std::uint32_t handle : slot.given.handles) drop(incarnation(), handle);
      Completion done = std::move(slot.done);
      free_slot(slot);
      return std::move(done).fail(std::move(moved).error());
    }
    arguments = slot.arguments.view();
  }
  slot.head = {.kind = FrameKind::kCall, .id = slot.id(), .number = slot.number};
  if (!call.deadline().is_never()) {
    slot.timer.arm(call.deadline());
    auto left =
        std::chrono::duration_cast<std::chrono::microseconds>(call.deadline().when() - loop_.now());
    slot.head.amount = static_cast<std::uint64_t>(std::max<std::int64_t>(left.count(), 1));
  }
  slot.state = Slot::State::kRunning;
  ++running_;
  if (arguments.size() <= kCopiedMax) {
    slot.told = true;
    return channel_->send(slot.head, arguments);
  }
  if (target.plain) {
    call.keep_arguments();
    arguments = call.arguments();
  }
  slot.unqueued = arguments;
  slot.in_place = true;
  channel_->activate(slot);
}

void Session::send_waiting() {
  while (state_ == State::kReady && !waiting_.empty() && running_ < kCallsMax &&
         !channel_->congested()) {
    Slot& slot = *waiting_.front();
    waiting_.pop_front();
    send(slot);
  }
}

// Ends a call for its caller. The provider still owes a reply where it got the call.
void Session::give_up(Slot& slot, Error error) {
  Completion done = std::move(slot.done);
  if (slot.state == Slot::State::kWaiting) {
    std::erase(waiting_, &slot);
    free_slot(slot);
  } else if (slot.state == Slot::State::kRunning) {
    slot.state = Slot::State::kAbandoned;
    slot.timer.disarm();
    channel_->forget(static_cast<Source&>(slot));
    channel_->forget(done.reply());
    if (slot.told) channel_->send({.kind = FrameKind::kCancel, .id = slot.id()});
    for (std::uint32_t id : slot.given.streams) streams_.settle(id);
    if (!slot.unqueued.empty()) {
      // What it does not get it cannot drop.
      for (std::uint32_t handle : slot.given.handles) drop(incarnation(), handle);
    }
    slot.unqueued = {};
    slot.arguments = Buffer();
    replies_ -= std::exchange(slot.reply_bytes, 0);
    // Of a call that it never hears of it owes nothing.
    if (!slot.told) {
      free_slot(slot);
      loop_.defer([weak = weak_from_this()] {
        if (auto self = weak.lock()) self->send_waiting();
      });
    }
  }
  if (done) std::move(done).fail(std::move(error));
}

Session::Slot* Session::take_slot() {
  if (free_.empty()) {
    CHECK(slots_.size() < kCallsMax + kWaitingMax);
    slots_.push_back(std::make_unique<Slot>(*this, static_cast<std::uint32_t>(slots_.size())));
    return slots_.back().get();
  }
  Slot* slot = free_.back();
  free_.pop_back();
  return slot;
}

void Session::free_slot(Slot& slot) {
  bool ran = slot.state == Slot::State::kRunning || slot.state == Slot::State::kAbandoned;
  if (ran) --running_;
  // A reply may come before all of the arguments have left.
  if (std::exchange(slot.in_place, false) && channel_ != nullptr) {
    channel_->forget(static_cast<Source&>(slot));
  }
  replies_ -= slot.reply_bytes;
  slot.state = Slot::State::kFree;
  slot.timer.disarm();
  slot.unqueued = {};
  slot.arguments.shrink(kCopiedMax);
  slot.given.streams.clear();
  slot.given.handles.clear();
  slot.reply.shrink(kSmallReply);
  slot.reply_bytes = 0;
  slot.reply_error = 0;
  slot.reply_begun = false;
  slot.told = false;
  slot.generation = (slot.generation + 1) & ((1U << (32 - kPlaceBits)) - 1);
  free_.push_back(&slot);
  // A resource that goes with its last pin says so on the channel.
  slot.given.lent.clear();
}

std::unique_ptr<RemoteResource> Session::wrap(std::uint32_t handle) {
  return std::make_unique<RemoteResource>(shared_from_this(), incarnation(), handle);
}

void Session::drop(std::uint64_t incarnation, std::uint32_t handle) {
  if (channel_ == nullptr || incarnation != this->incarnation()) return;
  channel_->send({.kind = FrameKind::kDrop, .number = handle});
}

}  // namespace weft::provider
