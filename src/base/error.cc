#include "base/error.h"

#include <fmt/format.h>

#include <system_error>

namespace weft {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::kInvalid: return "invalid";
    case Errc::kNotFound: return "not-found";
    case Errc::kDenied: return "denied";
    case Errc::kConflict: return "conflict";
    case Errc::kLimit: return "limit";
    case Errc::kTimeout: return "timeout";
    case Errc::kCancelled: return "cancelled";
    case Errc::kUnavailable: return "unavailable";
    case Errc::kIo: return "io";
    case Errc::kFull: return "full";
    case Errc::kCorrupt: return "corrupt";
    case Errc::kUnsupported: return "unsupported";
    case Errc::kTrap: return "trap";
    case Errc::kInternal: return "internal";
  }
  return "unknown";
}

Error Error::within(std::string_view outer) && {
  return Error(code_, fmt::format("{}: {}", outer, message_));
}

std::unexpected<Error> system_failure(std::string_view doing, int errno_value) {
  Errc code = Errc::kIo;
  switch (errno_value) {
    case ENOENT: code = Errc::kNotFound; break;
    case EACCES:
    case EPERM: code = Errc::kDenied; break;
    case ENOSPC:
    case EDQUOT: code = Errc::kFull; break;
    case EEXIST:
    case EADDRINUSE: code = Errc::kConflict; break;
    case EMFILE:
    case ENFILE: code = Errc::kLimit; break;
    case ETIMEDOUT: code = Errc::kTimeout; break;
    default: break;
  }
  return failure(code, fmt::format("{}: {}", doing, std::generic_category().message(errno_value)));
}

}  // namespace weft
