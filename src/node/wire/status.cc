#include "node/wire/node_api.h"

namespace weft::node::wire {

unsigned status_of(Errc code) {
  switch (code) {
    case Errc::kInvalid:
    case Errc::kUnsupported: return 400;
    case Errc::kDenied: return 403;
    case Errc::kNotFound: return 404;
    case Errc::kConflict: return 409;
    case Errc::kTimeout: return 410;
    case Errc::kCorrupt: return 422;
    case Errc::kLimit: return 429;
    case Errc::kUnavailable:
    case Errc::kCancelled: return 503;
    case Errc::kFull: return 507;
    default: return 500;
  }
}

Errc code_of(unsigned status) {
  switch (status) {
    case 400: return Errc::kInvalid;
    case 401:
    case 403:
    case 421: return Errc::kDenied;
    case 404: return Errc::kNotFound;
    case 409: return Errc::kConflict;
    case 410: return Errc::kTimeout;
    case 413:
    case 429: return Errc::kLimit;
    case 422: return Errc::kCorrupt;
    case 507: return Errc::kFull;
    default: return Errc::kUnavailable;
  }
}

}  // namespace weft::node::wire
