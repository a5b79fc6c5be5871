#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "node/object/hash.h"
#include "node/object/key.h"
#include "node/object/record.h"

namespace weft::node::runs {

// Bytes of output that are kept. Half of them may wait for readers; the other half is what was read
// last, for one who comes back.
inline constexpr std::size_t kOutputKeptMax = 1 << 20;
// What a frame and its seal cost beside its bytes: guests may write byte by byte to both streams in
// turn.
inline constexpr std::size_t kFrameCost = 512;
// What is less than that is no room: guests would fill it with small frames.
inline constexpr std::size_t kRoomLeast = 4'096;
// Frames that are sent before a seal says what they were; and of what is kept a part: who has
// unproven frames when a connection breaks wants them again, so they are still there.
inline constexpr std::uint64_t kSealEvery = 64;
inline constexpr std::size_t kSealEveryPart = 8;
// Who reads one run at once.
inline constexpr std::size_t kReadersMax = 8;

class OutputReader;

// What a run puts out: numbered frames, their chain, the node's seals, at last the receipt.
//
// Shared by its run and by its readers, each of which may be the last. On one loop.
class OutputLog : public std::enable_shared_from_this<OutputLog> {
 public:
  // Called when the writer has room again, and when a reader came or went. From inside a reader's
  // call: it posts.
  using Changed = std::function<void()>;

  // `request` names the run. `node` outlives the log.
  OutputLog(const Hash& request, const SigningKey& node, std::size_t kept_max = kOutputKeptMax);
  OutputLog(const OutputLog&) = delete;
  ~OutputLog();

  // For the run. How many bytes are taken now; 0: `changed` tells when to ask again.
  std::size_t room() const;
  // Any number of bytes; who writes asks for room first. Small writes to one stream become one
  // frame while nobody has read it.
  void write(OutputStream stream, BytesView bytes);
  // Nothing is written any more: what is told of below is final.
  void close();
  // The last record. Once, after close.
  void finish(BytesView receipt);
  void on_change(Changed changed) { changed_ = std::move(changed); }

  std::uint64_t frames() const;  // With the one that may still grow.
  const Hash& chain() const;     // Of those that do not grow any more: all of them after close.
  std::uint64_t bytes() const { return bytes_; }  // Written, kept or not.
  // Of these, what was handed out once more to somebody who had not paid for it as OutputReader's
  // `again`: several read at the same time.
  std::uint64_t again() const { return again_; }
  std::size_t kept() const { return kept_; }
  std::size_t readers() const { return readers_.size(); }
  bool finished() const { return receipt_ != nullptr; }

  // One more reader, from that frame on. kNotFound: it is not kept any more, or none is there yet
  // whose number is lower. kLimit: too many read. `wake` is called when there may be a record
  // again; from inside the log: it posts.
  Result<std::unique_ptr<OutputReader>> read(std::uint64_t from, std::function<void()> wake);

 private:
  friend class OutputReader;
  using Record = std::shared_ptr<const Bytes>;  // Shared by the log and who sends it.
  struct Sealed {
    std::uint64_t frames;
    Record record;
  };

  void settle();
  void seal();
  void forget();
  void look_again();
  void wake_readers();
  std::size_t cost_of_frame(std::uint64_t number) const;
  std::uint64_t first() const { return settled_ - frames_.size(); }
  // Of frames from one number up to another, both kept.
  std::uint64_t bytes_between(std::uint64_t from, std::uint64_t to) const;

  const Hash request_;
  const SigningKey& node_;
  const std::size_t kept_max_;
  Changed changed_;
  std::deque<Record> frames_;  // Those that are kept, the last is number settled_ - 1.
  std::deque<Sealed> seals_;
  OutputStream growing_stream_ = OutputStream::kStdout;
  Bytes growing_;  // The next frame's bytes; empty: there is none.
  std::uint64_t settled_ = 0;
  std::uint64_t sealed_ = 0;  // Of them, those that a seal covers.
  std::size_t unsealed_ = 0;  // Of those that none covers: what they cost.
  std::uint64_t passed_ = 0;  // Of them, those that everybody has read who reads now, or read last.
  Hash chain_;
  std::uint64_t bytes_ = 0;
  std::uint64_t handed_ = 0;  // Frames that somebody was given.
  std::uint64_t again_ = 0;
  std::size_t kept_ = 0;     // Of the frames, each with kFrameCost.
  std::size_t waiting_ = 0;  // Of those that are not passed.
  bool closed_ = false;
  Record receipt_;
  std::vector<OutputReader*> readers_;
};

// One who reads a log, which it keeps. Its end is the end of its reading.
class OutputReader {
 public:
  using Record = std::shared_ptr<const Bytes>;

  OutputReader(const OutputReader&) = delete;
  ~OutputReader();

  // The next record, whole; null: there is none now. A seal comes behind 64 frames at
  // most, and when nothing else is there.
  Record next();
  // The receipt was given: nothing comes any more.
  bool over() const { return over_; }
  std::uint64_t position() const { return position_; }  // The frame that is next.
  // Bytes from where it began on that somebody had been given by then.
  std::uint64_t again() const { return again_; }

 private:
  friend class OutputLog;
  OutputReader(std::shared_ptr<OutputLog> log, std::uint64_t from, std::function<void()> wake);
  Record take_frame();

  const std::shared_ptr<OutputLog> log_;
  std::uint64_t position_;
  std::uint64_t proven_;     // Frames that a seal given to it covers.
  std::uint64_t paid_ = 0;   // Frames that had been handed out when it came, and
  std::uint64_t again_ = 0;  // bytes of those from where it began.
  bool over_ = false;
  bool waits_ = false;
  std::function<void()> wake_;
};

}  // namespace weft::node::runs
