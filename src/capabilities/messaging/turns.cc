#include "capabilities/messaging/turns.h"

#include <memory>
#include <utility>

#include "io/loop.h"

namespace weft::messaging {

void Turns::give(const Claim& claim, std::vector<Left> left) {
  claim.loop->post(
      [given = claim.given, left = std::move(left)]() mutable { given(std::move(left)); });
}

bool Turns::claim(const std::string& group, const void* who, Loop& loop, Given given) {
  std::lock_guard hold(mutex_);
  std::deque<Claim>& claims = claims_[group];
  claims.push_back({who, &loop, std::move(given)});
  return claims.size() == 1;
}

std::vector<Left> Turns::release(const std::string& group, const void* who,
                                 std::vector<Left> left) {
  std::lock_guard hold(mutex_);
  auto found = claims_.find(group);
  if (found == claims_.end()) return left;
  std::deque<Claim>& claims = found->second;
  bool had = claims.front().who == who;
  std::erase_if(claims, [&](const Claim& claim) { return claim.who == who; });
  if (claims.empty()) {
    claims_.erase(found);
    return left;
  }
  if (!had) return left;
  give(claims.front(), std::move(left));
  return {};
}

std::vector<Left> Turns::pass(const std::string& group, std::vector<Left> left) {
  std::lock_guard hold(mutex_);
  auto found = claims_.find(group);
  if (found == claims_.end()) return left;
  give(found->second.front(), std::move(left));
  return {};
}

}  // namespace weft::messaging
