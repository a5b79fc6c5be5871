#pragma once

#include <memory>
#include <utility>

#include "capabilities/keyvalue/bucket.h"

namespace weft::keyvalue {

// A store of a driver that has one object a loop: `keys(name)` of it is what a bucket is made of.
template <class ABucket, class ALoop>
class StoreOf final : public Store {
 public:
  explicit StoreOf(std::shared_ptr<ALoop> loop) : loop_(std::move(loop)) {}

  Answer<std::unique_ptr<Bucket>> open(Request, BucketName name) override {
    TRY_VOID(check_bucket(name));
    return std::unique_ptr<Bucket>(std::make_unique<ABucket>(loop_->keys(name)));
  }

 private:
  std::shared_ptr<ALoop> loop_;  // Shared by the loop's stores.
};

}  // namespace weft::keyvalue
