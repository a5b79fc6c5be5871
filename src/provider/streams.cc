#include "provider/streams.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "io/loop.h"

namespace weft::provider {
namespace {

using ItemLength = std::uint32_t;

}  // namespace

// Reads a pipe of this side and sends what comes out of it. Shared by the streams and by what it
// posts.
class Streams::Sender : public Source, public std::enable_shared_from_this<Sender> {
 public:
  Sender(Streams& streams, std::uint32_t id, PipeReader reader, std::uint64_t credit, bool allowed)
      : streams_(&streams),
        id_(id),
        reader_(std::move(reader)),
        credit_(credit),
        allowed_(allowed) {}

  // Nothing is said before the other side has the stream.
  bool allowed() const { return allowed_; }
  void start() {
    if (allowed_) streams_->channel_->activate(*this);
  }
  Result<void> add(std::uint64_t credit) {
    if (credit > UINT64_MAX - credit_) return failure(Errc::kCorrupt, "too much credit");
    credit_ += credit;
    allowed_ = true;
    start();
    return {};
  }
  void stop() {
    streams_->channel_->forget(*this);
    quit();
  }
  void quit() {
    streams_ = nullptr;
    reader_.wait(nullptr);
    reader_ = PipeReader();
  }

  Next pull(Channel& channel) override {
    switch (reader_.state()) {
      case PipeState::kNothingYet:
        reader_.wait([weak = weak_from_this()] {
          auto self = weak.lock();
          if (self != nullptr && self->streams_ != nullptr) self->start();
        });
        return Next::kIdle;
      case PipeState::kData:
        if (credit_ == 0) return Next::kIdle;
        send_data(channel);
        return Next::kMore;
      case PipeState::kEnd: return end(channel, 0, {});
      case PipeState::kFailed:
        return end(channel, wire_number(reader_.error().code()),
                   as_bytes(reader_.error().message()));
    }
    return Next::kDone;
  }

 private:
  Next end(Channel& channel, std::uint32_t number, BytesView why) {
    channel.send({.kind = FrameKind::kEnd, .id = id_, .number = number},
                 why.first(std::min(why.size(), kBodyMax)));
    auto keep = shared_from_this();
    streams_->senders_.erase(id_);
    quit();
    return Next::kDone;
  }

  void send_data(Channel& channel) {
    FrameHead head{.kind = FrameKind::kData, .id = id_};
    auto room = static_cast<std::size_t>(std::min<std::uint64_t>(credit_, kBodyMax));
    if (reader_.kind() == PipeKind::kBytes) {
      BytesView view = reader_.view();
      view = view.first(std::min(view.size(), room));
      channel.send(head, view);
      credit_ -= view.size();
      return reader_.take(view.size());
    }
    items_.clear();
    while (items_.size() < room && reader_.state() == PipeState::kData) {
      BytesView item = reader_.view();
      auto length = static_cast<ItemLength>(item.size());
      std::array<std::uint8_t, sizeof(length)> prefix;
      std::memcpy(prefix.data(), &length, sizeof(length));
      append(BytesView(prefix), 0, room);
      append(item, sizeof(length), room);
      if (item_at_ < sizeof(length) + item.size()) break;
      item_at_ = 0;
      reader_.take(1);
    }
    credit_ -= items_.size();
    channel.send(head, items_.view());
    items_.shrink(kBodyMax);
  }
  // Appends what there is room for of a part of the item, which begins at `from` in it.
  void append(BytesView part, std::size_t from, std::size_t room) {
    if (item_at_ < from || item_at_ >= from + part.size()) return;
    BytesView rest = part.subspan(item_at_ - from);
    rest = rest.first(std::min(rest.size(), room - items_.size()));
    items_.append(rest);
    item_at_ += rest.size();
  }

  Streams* streams_;  // Null once it is over.
  const std::uint32_t id_;
  PipeReader reader_;
  std::uint64_t credit_;
  bool allowed_;
  std::size_t item_at_ = 0;  // How much of the item in view was sent.
  Buffer items_;
};

// Writes what arrives into a pipe of this side, and gives credit as that is emptied.
class Streams::Receiver : public std::enable_shared_from_this<Receiver> {
 public:
  Receiver(Streams& streams, std::uint32_t id, PipeWriter writer, bool taken)
      : streams_(&streams), id_(id), writer_(std::move(writer)), touched_(taken) {
    given_ = kStreamWindow;
    if (taken) send_credit(kStreamWindow);
  }

  bool touched() const { return touched_; }

  // Hears of room in the pipe, and of a reader that goes.
  void watch() {
    writer_.wait([weak = weak_from_this()] {
      auto self = weak.lock();
      if (self == nullptr || self->streams_ == nullptr) return;
      self->streams_->loop_.defer([self] { self->pump(); });
    });
  }

  Result<void> data(BytesView bytes) {
    touched_ = true;
    if (bytes.size() > given_) {
      return failure(Errc::kCorrupt,
                     fmt::format("stream {} was sent {} bytes, and has credit for {}", id_,
                                 bytes.size(), given_));
    }
    given_ -= bytes.size();
    held_.append(bytes);
    pump();
    return {};
  }
  void end(std::uint32_t number, std::string_view why) {
    touched_ = true;
    ended_ = true;
    if (number != 0) error_ = Error(code_of(number), std::string(why));
    pump();
  }
  void fail(Error error) {
    streams_ = nullptr;
    writer_.wait(nullptr);
    writer_.fail(std::move(error));
    writer_ = PipeWriter();
    held_ = Buffer();
  }
  // Says that nobody reads, and is over.
  void close(Error error) {
    streams_->channel_->send({.kind = FrameKind::kClose, .id = id_});
    over(std::move(error));
  }

 private:
  void over(Error error) {
    auto keep = shared_from_this();
    streams_->receivers_.erase(id_);
    fail(std::move(error));
  }

  void pump() {
    if (streams_ == nullptr) return;
    if (writer_.abandoned()) {
      if (!ended_) return close(Error(Errc::kCancelled, "nobody reads"));
      return over(Error(Errc::kCancelled, "nobody reads"));
    }
    if (writer_.kind() == PipeKind::kBytes) {
      at_ += writer_.write(held_.view().subspan(at_));
    } else if (!move_items()) {
      return close(Error(Errc::kLimit, fmt::format("an item is longer than {} bytes", kItemMax)));
    }
    compact();
    if (ended_ && (waiting() == 0 || incomplete())) return finish();
    if (!ended_) give_credit();
    watch();
  }

  std::size_t waiting() const { return held_.size() - at_; }
  // What is held is the beginning of one item.
  bool incomplete() const {
    return writer_.kind() != PipeKind::kBytes && waiting() > 0 && !complete();
  }
  ItemLength length() const {
    ItemLength length = 0;
    std::memcpy(&length, held_.data() + at_, sizeof(length));
    return length;
  }
  bool complete() const {
    return waiting() >= sizeof(ItemLength) && waiting() - sizeof(ItemLength) >= length();
  }

  bool move_items() {
    while (complete()) {
      if (closed_ || writer_.room() == 0) return true;
      writer_.write_item(held_.view().subspan(at_ + sizeof(ItemLength), length()));
      at_ += sizeof(ItemLength) + length();
      closed_ = writer_.kind() == PipeKind::kOne;
    }
    return waiting() < sizeof(ItemLength) || length() <= kItemMax;
  }

  void compact() {
    if (at_ == held_.size()) {
      held_.shrink(kStreamWindow);
      at_ = 0;
    } else if (at_ > held_.size() / 2) {
      std::memmove(held_.data(), held_.data() + at_, waiting());
      held_.resize_down(waiting());
      at_ = 0;
    }
  }

  void finish() {
    if (error_) return over(*error_);
    if (waiting() > 0 || (writer_.kind() == PipeKind::kOne && !closed_)) {
      return over(Error(Errc::kCorrupt, "a stream ended in the middle of an item"));
    }
    writer_.finish();
    over(Error(Errc::kInternal, "after the end"));
  }

  // What is on its way and what waits for room come to a window at most. The beginning of an item
  // does not count: it has to become whole.
  void give_credit() {
    std::uint64_t taken = given_ + (incomplete() ? 0 : waiting());
    if (taken > kStreamWindow / 2) return;
    std::uint64_t more = kStreamWindow - taken;
    given_ += more;
    send_credit(more);
  }
  void send_credit(std::uint64_t amount) {
    streams_->channel_->send({.kind = FrameKind::kCredit, .id = id_, .amount = amount});
  }

  Streams* streams_;  // Null once it is over.
  const std::uint32_t id_;
  PipeWriter writer_;
  std::uint64_t given_ = 0;  // Credit that was not used yet.
  Buffer held_;              // What did not go into the pipe yet, from at_ on.
  std::size_t at_ = 0;
  std::optional<Error> error_;
  bool ended_ = false;
  bool closed_ = false;  // The one item of a future is in the pipe.
  bool touched_;
};

Streams::Streams(Loop& loop, Side side)
    : loop_(loop), side_(side), next_(static_cast<std::uint32_t>(side)) {}

Streams::~Streams() {
  fail(Error(Errc::kUnavailable, "the connection has ended"));
}

Result<void> Streams::admit(std::uint32_t id) const {
  if (open_count() >= kStreamsMax) {
    return failure(Errc::kLimit, fmt::format("{} streams are open, and no more than {} may be",
                                             open_count(), kStreamsMax));
  }
  if (senders_.contains(id) || receivers_.contains(id)) {
    return failure(Errc::kInvalid, fmt::format("stream {} is open already", id));
  }
  return {};
}

void Streams::add_sender(std::uint32_t id, PipeReader reader, std::uint64_t credit, bool allowed) {
  auto sender = std::make_shared<Sender>(*this, id, std::move(reader), credit, allowed);
  senders_.emplace(id, sender);
  sender->start();
}

void Streams::add_receiver(std::uint32_t id, PipeWriter writer, bool taken) {
  auto receiver = std::make_shared<Receiver>(*this, id, std::move(writer), taken);
  receivers_.emplace(id, receiver);
  receiver->watch();
}

Result<std::uint32_t> Streams::give(PipeTable::End end) {
  std::uint32_t id = next_;
  TRY_VOID(admit(id));
  next_ += 2;
  if (auto* reader = std::get_if<PipeReader>(&end)) {
    add_sender(id, std::move(*reader), 0, false);
  } else {
    add_receiver(id, std::move(std::get<PipeWriter>(end)), false);
  }
  return id;
}

Result<PipeReader> Streams::take_reader(std::uint32_t id, PipeKind kind) {
  if (id == 0 || id % 2 == next_ % 2) {
    return failure(Errc::kInvalid, fmt::format("{} is no number of a stream of theirs", id));
  }
  TRY_VOID(admit(id));
  auto [reader, writer] = Pipe::make(loop_, kind);
  add_receiver(id, std::move(writer), true);
  return std::move(reader);
}

Result<PipeWriter> Streams::take_writer(std::uint32_t id, PipeKind kind) {
  if (id == 0 || id % 2 == next_ % 2) {
    return failure(Errc::kInvalid, fmt::format("{} is no number of a stream of theirs", id));
  }
  TRY_VOID(admit(id));
  auto [reader, writer] = Pipe::make(loop_, kind);
  add_sender(id, std::move(reader), kStreamWindow, true);
  return std::move(writer);
}

void Streams::settle(std::uint32_t id) {
  if (auto found = senders_.find(id); found != senders_.end() && !found->second->allowed()) {
    auto sender = found->second;
    senders_.erase(found);
    sender->stop();
    channel_->send({.kind = FrameKind::kEnd, .id = id, .number = wire_number(Errc::kCancelled)});
  } else if (auto other = receivers_.find(id);
             other != receivers_.end() && !other->second->touched()) {
    auto receiver = other->second;
    receiver->close(Error(Errc::kCancelled, "the call that it was given with has failed"));
  }
}

Result<void> Streams::frame(const FrameHead& head, BytesView body) {
  if (head.kind == FrameKind::kCredit || head.kind == FrameKind::kClose) {
    auto found = senders_.find(head.id);
    if (found == senders_.end()) return {};
    if (head.kind == FrameKind::kCredit) return found->second->add(head.amount);
    auto sender = found->second;
    senders_.erase(found);
    sender->stop();
    return {};
  }
  auto found = receivers_.find(head.id);
  if (found == receivers_.end()) return {};
  // It may end in here.
  std::shared_ptr<Receiver> receiver = found->second;
  if (head.kind == FrameKind::kData) return receiver->data(body);
  receiver->end(head.number, as_text(body));
  return {};
}

void Streams::fail(const Error& error) {
  auto senders = std::exchange(senders_, {});
  for (auto& [id, sender] : senders) {
    channel_->forget(*sender);
    sender->quit();
  }
  auto receivers = std::exchange(receivers_, {});
  for (auto& [id, receiver] : receivers) receiver->fail(error);
  next_ = static_cast<std::uint32_t>(side_);
}

}  // namespace weft::provider
