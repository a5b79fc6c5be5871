// What the rest of the SDK is written with: errors as values, and text to and from the host.
//
// There are no exceptions in a component. What can fail gives a Result: test it, take the value
// with *, or the reason with .error().
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "guest.h"

namespace weft {

// Why the host could not do a thing.
enum class Code : std::uint8_t {
  kInvalid,      // what was asked for makes no sense; asking again does not help
  kNotFound,     // no store or host of that name is known
  kDenied,       // it is there, and this component was not granted it
  kTimeout,      // it took too long
  kUnreachable,  // the other side cannot be reached, or let go
  kTooLong,      // more than the limit that was given
  kOther,
};

struct Error {
  Code code = Code::kOther;
  std::string message;
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> failure(Code code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

using Bytes = std::span<const std::uint8_t>;

inline Bytes bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

namespace detail {

// A view as the bindings take it. The host reads it and does not keep it.
inline guest_string_t lend(std::string_view text) {
  return {const_cast<std::uint8_t*>(bytes(text).data()), text.size()};
}

// Any of the bindings' strings and byte lists.
template <class List>
std::string_view view(const List& list) {
  return {reinterpret_cast<const char*>(list.ptr), list.len};
}

}  // namespace detail
}  // namespace weft
