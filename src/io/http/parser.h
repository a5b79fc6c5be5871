#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "io/http/message.h"

namespace weft {

// Whether `text` may be a header's or a method's name, a header's value.
bool is_token(std::string_view text);
bool is_field_value(std::string_view text);
// Whether `text` has the characters of a request's target: those of a URI without a fragment.
bool is_target(std::string_view text);
// Whether `text` is a host, a host and a port, or the same with an IPv6 address in brackets.
bool is_authority(std::string_view text);
// Whether two names are the same but for the case of ASCII letters.
bool same_name(std::string_view a, std::string_view b);

// Why a request cannot be served: what the client is told. status 0: nothing is wrong.
struct HttpRefusal {
  int status = 0;
  const char* reason = "";

  explicit operator bool() const { return status != 0; }
};

// Reads the head of one HTTP/1 request, strictly: CRLF line ends, one space where one belongs, no
// folded lines, one Host, at most one of Content-Length and Transfer-Encoding. What two readers
// could take in two ways is refused, because a proxy before us may be the other reader.
class HeadParser {
 public:
  struct Limits {
    std::size_t bytes_max;
    std::size_t headers_max;
  };
  enum class State : std::uint8_t { kMore, kDone, kBad };

  explicit HeadParser(Limits limits) : limits_(limits) {}

  // For a new request. Views of the last one end here.
  void reset();

  // `bytes` is everything from the request's first byte on, in one piece: what an earlier call saw
  // and more. It may have moved in between. Names are put into lower case in place, and the head
  // borrows from it.
  State parse(std::span<char> bytes);

  // After kBad.
  const HttpRefusal& problem() const { return problem_; }
  // After kDone.
  const RequestHead& head() const { return head_; }
  std::size_t size() const { return size_; }  // Bytes of `bytes` that the head takes.
  bool keep_alive() const { return keep_alive_; }
  bool expects_continue() const { return expects_continue_; }
  // Whether anything but an empty line came yet.
  bool begun() const { return scanned_ > begin_; }

 private:
  struct Seen;

  State bad(int status, const char* reason);
  State find_end(std::span<char> bytes);
  bool parse_request_line(std::string_view line);
  bool parse_target();
  bool parse_headers(std::span<char> bytes);
  bool take_header(const Header& header, Seen& seen);
  bool take_transfer_encoding(std::string_view value, Seen& seen);
  bool take_connection(std::string_view value);
  bool check_framing(const Seen& seen);

  const Limits limits_;
  RequestHead head_;
  std::vector<Header> headers_;
  std::vector<std::uint32_t> lines_;  // Where each line begins; the empty one is the last.
  std::string path_;                  // A path that the target has only in part.
  std::size_t begin_ = 0;
  std::size_t scanned_ = 0;
  std::size_t size_ = 0;
  HttpRefusal problem_;
  bool keep_alive_ = true;
  bool close_asked_ = false;
  bool keep_asked_ = false;
  bool expects_continue_ = false;
};

// Reads the framing of a chunked body and leaves the data where it is.
class ChunkDecoder {
 public:
  // By how much the extensions and leading zeros of a body, which mean nothing to us, may outweigh
  // its data: a body of any length may have some in each chunk, and none is made of nothing else.
  static constexpr std::size_t kExtensionBytesMax = 4096;

  void reset(std::size_t trailer_bytes_max);

  // Eats the framing at the front of `raw` and returns how many bytes that was. Then data_left()
  // bytes of data come next, or all of `raw` was eaten, or it is done or bad.
  std::size_t skip(BytesView raw);
  std::uint64_t data_left() const { return state_ == State::kData ? left_ : 0; }
  // `count` bytes of data were taken.
  void took(std::uint64_t count);

  bool done() const { return state_ == State::kDone; }
  const HttpRefusal& problem() const { return problem_; }
  // Once it is done.
  std::span<const Header> trailers() const { return trailers_; }

 private:
  enum class State : std::uint8_t {
    kSizeFirst,
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailer,
    kDone,
    kBad,
  };

  void eat(std::uint8_t byte);
  void bad(int status, const char* reason);
  void trailer_byte(char byte);
  void parse_trailers();

  State state_ = State::kSizeFirst;
  std::uint64_t left_ = 0;
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_bytes_max_ = 0;
  std::size_t line_ = 0;  // Where the trailer line begins that is being read.
  std::string text_;
  std::vector<Header> trailers_;
  HttpRefusal problem_;
};

}  // namespace weft
