#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace weft {

// What kind of failure a guest, a peer, a disk or an operator caused. Small and closed: callers
// switch on it, people read the message.
enum class Errc : unsigned char {
  kInvalid,      // the input is wrong; the same input fails again
  kNotFound,     // the named thing is not there
  kDenied,       // it exists, and the caller may not
  kConflict,     // somebody else changed it first, or it is taken
  kLimit,        // a named bound was reached
  kTimeout,      // the deadline passed
  kCancelled,    // the caller went away
  kUnavailable,  // a peer cannot be reached now; later may work
  kIo,           // the disk or the socket failed
  kFull,         // no room is left on the device or in the store
  kCorrupt,      // bytes that we or a peer wrote do not read back
  kUnsupported,  // valid, and nothing here serves it
  kTrap,         // the guest trapped
  kInternal,     // a bug that was caught before it could spread
};

std::string_view to_string(Errc code);

// A failure with a message for a person: what was found, where, and what to do about it.
class Error {
 public:
  Error(Errc code, std::string message) : code_(code), message_(std::move(message)) {}

  Errc code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same failure, told from one step further out: "outer: inner".
  Error within(std::string_view outer) &&;

 private:
  Errc code_;
  std::string message_;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> failure(Errc code, std::string message) {
  return std::unexpected<Error>(Error(code, std::move(message)));
}

// The failure for the current errno: "<doing>: <what the system says>".
std::unexpected<Error> system_failure(std::string_view doing, int errno_value);

}  // namespace weft

#define WEFT_CONCAT_INNER(a, b) a##b
#define WEFT_CONCAT(a, b) WEFT_CONCAT_INNER(a, b)

// TRY(auto value, expression): unwraps a Result or returns its error from this function.
#define TRY(declaration, ...) TRY_NAMED(WEFT_CONCAT(weft_try_, __LINE__), declaration, __VA_ARGS__)
#define TRY_NAMED(name, declaration, ...)                                    \
  auto name = (__VA_ARGS__);                                                 \
  if (!name) return std::unexpected<::weft::Error>(std::move(name).error()); \
  declaration = *std::move(name)

// TRY_VOID(expression): the same for Result<void>.
#define TRY_VOID(...)                           \
  if (auto weft_try = (__VA_ARGS__); !weft_try) \
  return std::unexpected<::weft::Error>(std::move(weft_try).error())

// The same inside a coroutine that returns Task<T>.
#define CO_TRY(declaration, ...) \
  CO_TRY_NAMED(WEFT_CONCAT(weft_try_, __LINE__), declaration, __VA_ARGS__)
#define CO_TRY_NAMED(name, declaration, ...)                                    \
  auto name = (__VA_ARGS__);                                                    \
  if (!name) co_return std::unexpected<::weft::Error>(std::move(name).error()); \
  declaration = *std::move(name)
#define CO_TRY_VOID(...)                        \
  if (auto weft_try = (__VA_ARGS__); !weft_try) \
  co_return std::unexpected<::weft::Error>(std::move(weft_try).error())
