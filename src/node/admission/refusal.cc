#include "node/admission/admission.h"

namespace weft::node {

std::string_view to_string(RefusalCode code) {
  switch (code) {
    case RefusalCode::kMalformed: return "malformed";
    case RefusalCode::kNotSigned: return "not-signed";
    case RefusalCode::kNotAllowed: return "not-allowed";
    case RefusalCode::kNotFound: return "not-found";
    case RefusalCode::kSeen: return "seen";
    case RefusalCode::kExpired: return "expired";
    case RefusalCode::kTooLong: return "too-long";
    case RefusalCode::kElsewhere: return "for-another";
    case RefusalCode::kSpent: return "spent";
    case RefusalCode::kDraining: return "draining";
    case RefusalCode::kFailed: return "failed";
  }
  return "?";
}

int http_status(RefusalCode code) {
  switch (code) {
    case RefusalCode::kMalformed: return 400;
    case RefusalCode::kNotSigned: return 401;
    case RefusalCode::kNotAllowed: return 403;
    case RefusalCode::kNotFound: return 404;
    case RefusalCode::kSeen: return 409;
    case RefusalCode::kExpired: return 410;
    case RefusalCode::kTooLong: return 413;
    case RefusalCode::kElsewhere: return 421;
    case RefusalCode::kSpent: return 429;
    case RefusalCode::kDraining: return 503;
    case RefusalCode::kFailed: return 503;
  }
  return 500;
}

}  // namespace weft::node
