#include "node/runs/output_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "node/object/receipt.h"

namespace weft::node::runs {
namespace {

OutputReader::Record shared(Bytes bytes) {
  return std::make_shared<const Bytes>(std::move(bytes));
}

std::size_t cost_of(BytesView bytes) {
  return bytes.size() + kFrameCost;
}

}  // namespace

OutputLog::OutputLog(const Hash& request, const SigningKey& node, std::size_t kept_max)
    : request_(request), node_(node), kept_max_(kept_max), chain_(request) {}

OutputLog::~OutputLog() {
  CHECK(readers_.empty());
}

std::uint64_t OutputLog::frames() const {
  return settled_ + (growing_.empty() ? 0 : 1);
}

const Hash& OutputLog::chain() const {
  return chain_;
}

std::size_t OutputLog::room() const {
  if (closed_) return 0;
  std::size_t waits = waiting_ + (growing_.empty() ? 0 : cost_of(growing_));
  std::size_t room = kept_max_ / 2 - std::min(waits, kept_max_ / 2);
  return room < kRoomLeast ? 0 : room;
}

void OutputLog::write(OutputStream stream, BytesView bytes) {
  CHECK(!closed_);
  while (!bytes.empty()) {
    bool fits = growing_stream_ == stream && growing_.size() < kFrameBytesMax;
    if (!growing_.empty() && !fits) settle();
    BytesView part = bytes.first(std::min(bytes.size(), kFrameBytesMax - growing_.size()));
    growing_stream_ = stream;
    growing_.insert(growing_.end(), part.begin(), part.end());
    bytes_ += part.size();
    bytes = bytes.subspan(part.size());
  }
  wake_readers();
}

void OutputLog::close() {
  if (!growing_.empty()) settle();
  closed_ = true;
}

void OutputLog::finish(BytesView receipt) {
  CHECK(closed_ && receipt_ == nullptr);
  receipt_ = shared(record(RecordType::kReceipt, receipt));
  wake_readers();
}

// The frame that grew is one now.
void OutputLog::settle() {
  chain_ = next_chain(chain_, static_cast<std::uint8_t>(growing_stream_), growing_);
  std::size_t cost = cost_of(growing_);
  kept_ += cost;
  waiting_ += cost;
  frames_.push_back(shared(frame_record(growing_stream_, growing_)));
  growing_.clear();
  ++settled_;
  unsealed_ += cost;
  if (settled_ - sealed_ >= kSealEvery || unsealed_ >= kept_max_ / kSealEveryPart) seal();
  forget();
}

void OutputLog::seal() {
  sealed_ = settled_;
  unsealed_ = 0;
  Bytes seal =
      sign(Seal{.request = request_, .frames = settled_, .chain = chain_, .last = closed_}, node_);
  seals_.push_back({settled_, shared(record(RecordType::kSeal, seal))});
}

std::size_t OutputLog::cost_of_frame(std::uint64_t number) const {
  // A record is a frame's bytes behind its head and its stream.
  return frames_[number - first()]->size() - kRecordHeadBytes - 1 + kFrameCost;
}

std::uint64_t OutputLog::bytes_between(std::uint64_t from, std::uint64_t to) const {
  std::uint64_t bytes = 0;
  for (; from < to; ++from) bytes += cost_of_frame(from) - kFrameCost;
  return bytes;
}

// What everybody has read goes when the room is wanted.
void OutputLog::forget() {
  while (kept_ > kept_max_ && first() < passed_) {
    kept_ -= cost_of_frame(first());
    frames_.pop_front();
  }
  while (!seals_.empty() && seals_.front().frames < first()) seals_.pop_front();
}

// Who is last has moved, came or went.
void OutputLog::look_again() {
  if (!readers_.empty()) {
    auto last = std::ranges::min_element(readers_, {}, &OutputReader::position_);
    std::uint64_t passed = (*last)->position_;
    for (; passed_ < passed; ++passed_) waiting_ -= cost_of_frame(passed_);
    for (; passed_ > passed; --passed_) waiting_ += cost_of_frame(passed_ - 1);
  }
  if (changed_) changed_();
}

void OutputLog::wake_readers() {
  for (OutputReader* reader : readers_) {
    if (std::exchange(reader->waits_, false)) reader->wake_();
  }
}

Result<std::unique_ptr<OutputReader>> OutputLog::read(std::uint64_t from,
                                                      std::function<void()> wake) {
  if (from < first()) {
    return failure(
        Errc::kNotFound,
        fmt::format("frame {} is not kept any more, the first one is {}", from, first()));
  }
  if (from > frames()) {
    return failure(Errc::kNotFound,
                   fmt::format("there are {} frames, and {} was asked for", frames(), from));
  }
  if (readers_.size() >= kReadersMax) {
    return failure(Errc::kLimit, fmt::format("{} read it already", readers_.size()));
  }
  // One from the frame that still grows is one behind the others.
  std::unique_ptr<OutputReader> reader(new OutputReader(shared_from_this(), from, std::move(wake)));
  if (from > settled_) settle();
  reader->paid_ = handed_;
  reader->again_ = bytes_between(from, handed_);
  readers_.push_back(reader.get());
  look_again();
  return reader;
}

OutputReader::OutputReader(std::shared_ptr<OutputLog> log, std::uint64_t from,
                           std::function<void()> wake)
    : log_(std::move(log)), position_(from), proven_(from), wake_(std::move(wake)) {}

OutputReader::~OutputReader() {
  std::erase(log_->readers_, this);
  log_->look_again();
}

OutputReader::Record OutputReader::take_frame() {
  OutputLog& log = *log_;
  std::uint64_t number = position_++;
  if (number < log.handed_ && number >= paid_) log.again_ += log.bytes_between(number, position_);
  log.handed_ = std::max(log.handed_, position_);
  Record frame = log.frames_[number - log.first()];
  log.look_again();
  return frame;
}

OutputReader::Record OutputReader::next() {
  OutputLog& log = *log_;
  if (over_) return nullptr;
  if (position_ > proven_) {
    auto seal = std::ranges::find(log.seals_, position_, &OutputLog::Sealed::frames);
    if (seal != log.seals_.end()) {
      proven_ = position_;
      return seal->record;
    }
  }
  if (position_ == log.settled_ && !log.growing_.empty()) log.settle();
  if (position_ < log.settled_) return take_frame();
  if (log.receipt_ != nullptr) {
    over_ = true;
    return log.receipt_;
  }
  if (position_ > proven_) {
    log.seal();
    proven_ = position_;
    return log.seals_.back().record;
  }
  waits_ = true;
  return nullptr;
}

}  // namespace weft::node::runs
