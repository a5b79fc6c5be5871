#pragma once

// For src/engine's own sources.

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "door/context.h"
#include "values/relocate.h"

namespace weft {

// What the handles of a result become for its caller. When one cannot, or nobody waits for them,
// all of the result is read nevertheless, so that whatever it gives is let go; then it fails.
class Arriving : public Renumbering {
 public:
  // `to`: the caller; null where nobody waits.
  Arriving(Context* to, ResourceKind kind) : to_(to), kind_(kind) {}

  Result<std::uint32_t> own(std::string_view, std::uint32_t number) final {
    std::unique_ptr<Resource> held = hold(number);
    if (to_ == nullptr || wrong_) return number;
    auto pushed = to_->resources().push(kind_, std::move(held));
    if (pushed) given_.push_back(*pushed);
    return keep(std::move(pushed), number);
  }
  Result<std::uint32_t> borrow(std::string_view resource, std::uint32_t number) final {
    return keep(failure(Errc::kInvalid, fmt::format("a borrow<{}> cannot be given back", resource)),
                number);
  }

  // What came of the whole, after `read`.
  Result<void> over(Result<void> read) {
    if (read && wrong_) read = std::unexpected(*std::move(wrong_));
    if (read || to_ == nullptr) return read;
    for (std::uint32_t each : given_) static_cast<void>(to_->resources().take(kind_, each));
    return read;
  }

 protected:
  // One as the caller holds it, whose destructor lets go of it.
  virtual std::unique_ptr<Resource> hold(std::uint32_t number) = 0;

  // Remembers the first failure, and goes on.
  Result<std::uint32_t> keep(Result<std::uint32_t> done, std::uint32_t number) {
    if (done) return done;
    if (!wrong_) wrong_ = std::move(done).error();
    return number;
  }

  Context* const to_;

 private:
  const ResourceKind kind_;
  std::vector<std::uint32_t> given_;
  std::optional<Error> wrong_;
};

}  // namespace weft
