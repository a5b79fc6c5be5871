#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

// The wire between weft and a provider process: see docs/PROVIDER_PROTOCOL.md.
namespace weft::provider {

inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kHeadSize = 24;
inline constexpr std::size_t kBodyMax = 64 * 1024;
// Calls under way and streams open, on one connection.
inline constexpr std::size_t kCallsMax = 1024;
inline constexpr std::size_t kStreamsMax = 4096;
inline constexpr std::uint64_t kStreamWindow = 128 * 1024;
inline constexpr std::size_t kItemMax = 64 * 1024 * 1024;
inline constexpr std::size_t kHandshakeMax = 4 * 1024 * 1024;

// What the environment of a provider names.
inline constexpr const char* kSocketVariable = "WEFT_PROVIDER_SOCKET";
inline constexpr const char* kTokenVariable = "WEFT_PROVIDER_TOKEN";

enum class FrameKind : std::uint8_t {
  kHello = 1,
  kSetup,
  kReady,
  kCall,
  kReply,
  kCancel,
  kDrop,
  kData,
  kCredit,
  kEnd,
  kClose,
  kPing,
  kPong,
};

struct FrameHead {
  FrameKind kind = FrameKind::kPing;
  std::uint32_t id = 0;
  std::uint32_t number = 0;
  std::uint64_t amount = 0;
  bool more = false;
  std::uint32_t length = 0;
};

void write_head(const FrameHead& head, std::uint8_t* to);
// Fails for a kind, a flag or a length that the protocol does not have.
Result<FrameHead> read_head(std::span<const std::uint8_t, kHeadSize> bytes);

// Errors by their numbers on the wire; 0 is no error.
std::uint32_t wire_number(Errc code);
Errc code_of(std::uint32_t number);

// Where frames go as they are read.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  // A frame begins: the buffer that its body is appended to, or null for a body that `frame` gets.
  virtual Result<Buffer*> body_of(const FrameHead& head) = 0;
  // It is complete. `body` is empty where it went to a buffer.
  virtual Result<void> frame(const FrameHead& head, BytesView body) = 0;
};

// Makes frames of bytes as they come. Bodies that have a buffer are read into it directly.
class FrameReader {
 public:
  explicit FrameReader(FrameSink& sink);

  // Where the next bytes may be read to, and after that how many came. A failure is final.
  std::array<iovec, 2> room();
  Result<void> took(std::size_t count);
  // The same for bytes that are here already.
  Result<void> feed(BytesView bytes);
  // A buffer that body_of returned is going: what is left of its frame goes nowhere.
  void forget(const Buffer& buffer);
  // Nothing more is read, also when this is called from inside the sink.
  void stop() { stopped_ = true; }
  // In the middle of a body that has a buffer: more is about to come.
  bool in_body() const { return target_ != nullptr; }

 private:
  static constexpr std::size_t kRoom = 2 * (kHeadSize + kBodyMax);
  // What a message of several frames is given at once, so that it is not moved as it grows.
  static constexpr std::size_t kLargeRoom = 1024 * 1024;

  Result<void> parse();
  std::size_t held() const { return end_ - begin_; }

  FrameSink& sink_;
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  FrameHead head_;
  bool in_body_ = false;
  std::size_t left_ = 0;  // Of the body.
  Buffer* target_ = nullptr;
  Buffer discarded_;
  bool stopped_ = false;
};

}  // namespace weft::provider
