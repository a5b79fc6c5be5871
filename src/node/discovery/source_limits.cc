#include "node/discovery/source_limits.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace weft::node::discovery {

bool RateBucket::take(const Rate& rate, Time now) {
  if (now > at_) {
    std::chrono::duration<double> passed = now - at_;
    left_ = std::min(rate.burst, left_ + passed.count() * rate.per_second);
    at_ = now;
  }
  if (left_ < 1) return false;
  left_ -= 1;
  return true;
}

SeededHash::SeededHash() {
  static_assert(sizeof seed_ == crypto_shorthash_KEYBYTES);
  CHECK(sodium_init() >= 0);
  crypto_shorthash_keygen(seed_.data());
}

std::size_t SeededHash::hash(BytesView bytes) const {
  std::size_t value = 0;
  static_assert(sizeof value == crypto_shorthash_BYTES);
  crypto_shorthash(reinterpret_cast<unsigned char*>(&value), bytes.data(), bytes.size(),
                   seed_.data());
  return value;
}

std::size_t SeededHash::operator()(const IpAddress& address) const {
  return hash(BytesView(address.bytes()).first(address.bits() / 8));
}

std::size_t SeededHash::operator()(const PublicKey& key) const {
  return hash(key.view());
}

bool SourceLimits::take(const IpAddress& source, Time now) {
  auto found = sources_.find(source);
  if (found != sources_.end()) {
    order_.splice(order_.end(), order_, found->second);
    return found->second->bucket.take(each_, now);
  }
  if (sources_.size() >= sources_max_) {
    sources_.erase(order_.front().address);
    order_.pop_front();
  }
  order_.push_back({source, RateBucket(each_, now)});
  sources_.emplace(source, std::prev(order_.end()));
  return order_.back().bucket.take(each_, now);
}

}  // namespace weft::node::discovery
