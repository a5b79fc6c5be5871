#pragma once

#include <memory>

#include "capabilities/keyvalue/bucket.h"
#include "capabilities/keyvalue/watch.h"

namespace weft::keyvalue {

// The bucket, whose changes are told to those who watch it, once they are made. `hub` outlives it.
std::unique_ptr<Bucket> watched_bucket(std::unique_ptr<Bucket> bucket, BucketName name,
                                       WatchHub& hub);

}  // namespace weft::keyvalue
