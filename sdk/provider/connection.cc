#include "connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "io/loop.h"
#include "values/relocate.h"

namespace weft::provider {
namespace {

// Up to this a reply is copied into the channel's buffer.
constexpr std::size_t kCopiedMax = 16 * 1024;
constexpr std::size_t kErrorTextMax = 4096;

}  // namespace

// A call from its first frame to the last of its reply.
class Connection::Incoming : public Source, public Caller {
 public:
  Incoming(Connection& connection, const FrameHead& head)
      : owner(connection), id(head.id), number(head.number) {
    if (head.amount == 0 || head.amount > 1ULL << 50) return;
    deadline = Deadline::after(std::chrono::microseconds(head.amount));
  }

  void completed(Call&) override { owner.reply(*this); }

  Next pull(Channel& channel) override {
    BytesView piece = unqueued.first(std::min(unqueued.size(), kBodyMax));
    unqueued = unqueued.subspan(piece.size());
    unsent += piece.size();
    channel.send_in_place({.kind = FrameKind::kReply, .id = id, .more = !unqueued.empty()}, piece,
                          *this);
    return unqueued.empty() ? Next::kDone : Next::kMore;
  }
  void sent(std::size_t bytes) override {
    unsent -= bytes;
    if (unsent == 0 && unqueued.empty()) owner.forget(*this);
  }

  Connection& owner;
  const std::uint32_t id;
  const std::uint32_t number;
  Deadline deadline = Deadline::never();
  Buffer arguments;
  Buffer moved;  // The arguments with this side's numbers, and then the reply with weft's.
  Call* call = nullptr;
  bool replying = false;
  BytesView unqueued;
  std::size_t unsent = 0;
};

// Handles are numbers of the connection's own table. Pipes are renumbered, each way.
class Connection::Numbers : public Renumbering {
 public:
  enum class Way : std::uint8_t { kIn, kOut };
  Numbers(Connection& connection, Way way) : connection_(connection), way_(way) {}

  Result<std::uint32_t> own(std::string_view, std::uint32_t number) override { return number; }
  Result<std::uint32_t> borrow(std::string_view, std::uint32_t number) override { return number; }
  Result<std::uint32_t> reader(PipeKind kind, std::uint32_t number) override {
    PipeTable& pipes = connection_.context_->pipes();
    Streams& streams = connection_.streams_;
    if (way_ == Way::kIn) {
      TRY(PipeReader end, streams.take_reader(number, kind));
      return pipes.push(std::move(end));
    }
    TRY(PipeReader end, pipes.take_reader(number, kind));
    return streams.give(std::move(end));
  }
  Result<std::uint32_t> writer(PipeKind kind, std::uint32_t number) override {
    PipeTable& pipes = connection_.context_->pipes();
    Streams& streams = connection_.streams_;
    if (way_ == Way::kIn) {
      TRY(PipeWriter end, streams.take_writer(number, kind));
      return pipes.push(std::move(end));
    }
    TRY(PipeWriter end, pipes.take_writer(number, kind));
    return streams.give(std::move(end));
  }

 private:
  Connection& connection_;
  Way way_;
};

Connection::Connection(ConnectionOwner& owner, Fd socket)
    : owner_(owner),
      channel_(Channel::open(owner.loop(), std::move(socket), *this)),
      streams_(owner.loop(), Streams::Side::kProvider) {
  streams_.open(*channel_);
  channel_->send({.kind = FrameKind::kHello, .number = kVersion},
                 as_bytes(hello_text(owner.token())));
}

// The streams end before the channel that they forget themselves at.
Connection::~Connection() {
  streams_.fail(Error(Errc::kUnavailable, "weft has closed the connection"));
  channel_->close();
  auto calls = std::exchange(calls_, {});
  for (auto& [id, each] : calls) {
    if (each->call != nullptr) each->call->release();
  }
  if (context_ != nullptr) Context::retire(std::move(context_));
}

void Connection::broken(Error error) {
  if (error.code() != Errc::kUnavailable) {
    fmt::print(stderr, "weft broke the protocol: {}\n", error.message());
  }
  owner_.ended(*this);
}

Result<Buffer*> Connection::body_of(const FrameHead& head) {
  if (head.kind == FrameKind::kSetup) {
    if (setup_.size() + head.length > kHandshakeMax) {
      return failure(Errc::kLimit, "the setup is too long");
    }
    return &setup_;
  }
  if (head.kind == FrameKind::kPing) return nullptr;
  if (!ready_) return failure(Errc::kCorrupt, "a frame before the setup");
  switch (head.kind) {
    case FrameKind::kCall: return body_of_call(head);
    case FrameKind::kCancel:
    case FrameKind::kDrop:
    case FrameKind::kData:
    case FrameKind::kCredit:
    case FrameKind::kEnd:
    case FrameKind::kClose: return nullptr;
    default: return failure(Errc::kCorrupt, "a frame that only providers send");
  }
}

Result<Buffer*> Connection::body_of_call(const FrameHead& head) {
  auto found = calls_.find(head.id);
  if (found == calls_.end()) {
    if (calls_.size() >= kCallsMax || head.number >= owner_.functions().size()) {
      return failure(Errc::kCorrupt, fmt::format("call {} of function {}", head.id, head.number));
    }
    found = calls_.emplace(head.id, std::make_unique<Incoming>(*this, head)).first;
    if (!head.more) return nullptr;
  }
  Incoming& call = *found->second;
  if (call.call != nullptr || call.replying) return failure(Errc::kCorrupt, "a call id used twice");
  return &call.arguments;
}

Result<void> Connection::frame(const FrameHead& head, BytesView body) {
  switch (head.kind) {
    case FrameKind::kSetup: return head.more ? Result<void>() : on_setup(head);
    case FrameKind::kPing:
      channel_->send({.kind = FrameKind::kPong, .number = head.number});
      return {};
    case FrameKind::kCall: {
      if (head.more) return {};
      Incoming& call = *calls_.at(head.id);
      start(call, call.arguments.empty() ? body : call.arguments.view());
      return {};
    }
    case FrameKind::kCancel: cancel(head.id); return {};
    case FrameKind::kDrop: context_->resources().drop(head.number); return {};
    default: return streams_.frame(head, body);
  }
}

Result<void> Connection::on_setup(const FrameHead& head) {
  if (ready_ || head.number != kVersion) return failure(Errc::kCorrupt, "another setup");
  TRY(SetupMessage setup, read_setup(setup_.text()));
  if (setup.token != owner_.token()) return failure(Errc::kDenied, "the setup has another token");
  setup_ = Buffer();
  Result<std::string> answer = owner_.set_up(std::move(setup));
  if (!answer) {
    channel_->send_message({.kind = FrameKind::kReady, .number = 1},
                           as_bytes(answer.error().message()));
    return {};
  }
  ready_ = true;
  context_ = std::make_unique<Context>(owner_.loop(), owner_.app(), owner_.name());
  channel_->send_message({.kind = FrameKind::kReady}, as_bytes(*answer));
  return {};
}

void Connection::start(Incoming& in, BytesView arguments) {
  ServedFunction& function = owner_.functions()[in.number];
  if (!function.link->function().plain) {
    Numbers numbers(*this, Numbers::Way::kIn);
    Result<void> moved = relocate_arguments(function.signature, arguments, numbers, in.moved);
    if (!moved) return refuse(in, moved.error());
    arguments = in.moved.view();
  }
  in.call = owner_.calls().start(*function.link, *context_, arguments, in.deadline);
  if (in.call->state() == Call::State::kRunning) return in.call->set_caller(&in);
  reply(in);
}

void Connection::reply(Incoming& in) {
  if (in.call->state() == Call::State::kFailed) return refuse(in, in.call->error());
  BytesView reply = in.call->reply();
  ServedFunction& function = owner_.functions()[in.number];
  if (!function.link->function().plain) {
    Buffer out;
    Numbers numbers(*this, Numbers::Way::kOut);
    Result<void> moved = relocate_result(function.signature, reply, numbers, out);
    if (!moved) return refuse(in, moved.error());
    in.moved = std::move(out);
    reply = in.moved.view();
  }
  if (reply.size() <= kCopiedMax) {
    channel_->send({.kind = FrameKind::kReply, .id = in.id}, reply);
    return forget(in);
  }
  in.replying = true;
  in.unqueued = reply;
  channel_->activate(in);
}

void Connection::refuse(Incoming& in, const Error& error) {
  std::string_view text = error.message();
  channel_->send({.kind = FrameKind::kReply, .id = in.id, .number = wire_number(error.code())},
                 as_bytes(text.substr(0, kErrorTextMax)));
  forget(in);
}

// A call that was replied to means nothing any more to a cancel.
void Connection::cancel(std::uint32_t id) {
  auto found = calls_.find(id);
  if (found == calls_.end() || found->second->replying) return;
  channel_->forget(found->second->arguments);
  refuse(*found->second, Error(Errc::kCancelled, "it was cancelled"));
}

void Connection::forget(Incoming& in) {
  Call* call = std::exchange(in.call, nullptr);
  calls_.erase(in.id);
  if (call != nullptr) call->release();
}

}  // namespace weft::provider
