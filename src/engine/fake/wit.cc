#include "engine/wit.h"

namespace weft {

Result<std::string> describe_wit(const WitQuery& query) {
  return failure(Errc::kUnsupported, query.path + ": the fake engine reads no WIT");
}

}  // namespace weft
