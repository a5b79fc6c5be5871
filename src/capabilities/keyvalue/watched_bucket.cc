#include "capabilities/keyvalue/watched_bucket.h"

#include <utility>

namespace weft::keyvalue {
namespace {

class WatchedBucket final : public Bucket {
 public:
  WatchedBucket(std::unique_ptr<Bucket> bucket, BucketName name, WatchHub& hub)
      : bucket_(std::move(bucket)), app_(name.owner), name_(name.name), hub_(hub) {}

  Answer<std::optional<Bytes>> get(Request request, std::string_view key) override {
    return bucket_->get(request, key);
  }
  Answer<void> set(Request request, std::string_view key, BytesView value) override {
    return tell(bucket_->set(request, key, value), key);
  }
  Answer<void> erase(Request request, std::string_view key) override {
    return tell(bucket_->erase(request, key), key);
  }
  Answer<bool> exists(Request request, std::string_view key) override {
    return bucket_->exists(request, key);
  }
  Answer<Page> list(Request request, std::optional<std::string_view> cursor) override {
    return bucket_->list(request, cursor);
  }
  Answer<std::int64_t> increment(Request request, std::string_view key,
                                 std::int64_t delta) override {
    return tell(bucket_->increment(request, key, delta), key);
  }
  Answer<Snapshot> snapshot(Request request, std::string_view key) override {
    return bucket_->snapshot(request, key);
  }
  Answer<std::optional<Snapshot>> swap(Request request, std::string_view key, const Snapshot& basis,
                                       BytesView value) override {
    // A lost one is told too: who is told asks what is there, and that is what it was.
    return tell(bucket_->swap(request, key, basis, value), key);
  }
  Answer<std::vector<std::optional<Bytes>>> get_many(
      Request request, const std::vector<std::string_view>& keys) override {
    return bucket_->get_many(request, keys);
  }
  Answer<void> set_many(Request request, const std::vector<Pair>& pairs) override {
    std::vector<std::string_view> keys;
    for (const auto& [key, value] : pairs) keys.push_back(key);
    return tell(bucket_->set_many(request, pairs), keys);
  }
  Answer<void> erase_many(Request request, const std::vector<std::string_view>& keys) override {
    return tell(bucket_->erase_many(request, keys), keys);
  }

 private:
  template <class T>
  Answer<T> tell(Answer<T> answer, std::string_view key) {
    return tell(std::move(answer), std::vector<std::string_view>{key});
  }
  // Of a write that failed nobody knows what it did: it is told like one that was made.
  template <class T>
  Answer<T> tell(Answer<T> answer, const std::vector<std::string_view>& keys) {
    if (!hub_.any()) return answer;
    std::vector<std::string> owned(keys.begin(), keys.end());
    // The bucket may be gone by then.
    return std::move(answer).settle(
        [owned = std::move(owned), app = app_, name = name_, &hub = hub_](Result<T> result) {
          for (const std::string& key : owned) hub.changed(app, name, key);
          return result;
        });
  }

  std::unique_ptr<Bucket> bucket_;
  const std::string app_;
  const std::string name_;
  WatchHub& hub_;
};

}  // namespace

std::unique_ptr<Bucket> watched_bucket(std::unique_ptr<Bucket> bucket, BucketName name,
                                       WatchHub& hub) {
  return std::make_unique<WatchedBucket>(std::move(bucket), name, hub);
}

}  // namespace weft::keyvalue
