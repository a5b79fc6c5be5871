#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "capabilities/capability.h"
#include "capabilities/keyvalue/bucket.h"
#include "door/answer.h"

// What the host classes of all versions of wasi:keyvalue have in common. `Wit` names the generated
// types of one version: Error, Bucket.
namespace weft::keyvalue {

inline Request request_of(Call& call) {
  return {call.context().loop(), call.deadline()};
}

// A driver's failure as the guest sees it. What is denied or not there has a case of its own; all
// else is told in words.
template <class E>
E error_of(const Error& error) {
  switch (error.code()) {
    case Errc::kNotFound: return E::no_such_store();
    case Errc::kDenied: return E::access_denied();
    default: return E::other(error.message());
  }
}

// The driver's answer as the guest's result.
template <class E, class T>
Answer<std::expected<T, E>> result_of(Answer<T> answer) {
  return std::move(answer).settle([](Result<T> result) -> std::expected<T, E> {
    if (!result) return std::unexpected(error_of<E>(result.error()));
    if constexpr (std::is_void_v<T>) {
      return {};
    } else {
      return *std::move(result);
    }
  });
}

// The bucket behind a guest's handle. What differs between versions, list_keys, is up to a
// subclass.
template <class Wit>
class HostBucket : public Wit::Bucket {
 public:
  using E = typename Wit::Error;

  explicit HostBucket(std::unique_ptr<Bucket> bucket) : bucket_(std::move(bucket)) {}

  Answer<std::expected<std::optional<Bytes>, E>> get(Call& call, std::string_view key) override {
    return result_of<E>(bucket_->get(request_of(call), key));
  }
  Answer<std::expected<void, E>> set(Call& call, std::string_view key, BytesView value) override {
    return result_of<E>(bucket_->set(request_of(call), key, value));
  }
  Answer<std::expected<void, E>> delete_(Call& call, std::string_view key) override {
    return result_of<E>(bucket_->erase(request_of(call), key));
  }
  Answer<std::expected<bool, E>> exists(Call& call, std::string_view key) override {
    return result_of<E>(bucket_->exists(request_of(call), key));
  }

  const std::shared_ptr<Bucket>& bucket() const { return bucket_; }

 private:
  std::shared_ptr<Bucket> bucket_;  // Shared with the guest's cas handles, which may outlive this.
};

// The driver's bucket under a handle that a guest lent. Every bucket of a version is a HostBucket.
template <class Wit>
const std::shared_ptr<Bucket>& bucket_of(typename Wit::Bucket& bucket) {
  return static_cast<HostBucket<Wit>&>(bucket).bucket();
}

// Opens buckets: those that the component's grant names, of the app it belongs to.
template <class Wit, class BucketClass>
class StoreHost final : public Wit::StoreHost {
 public:
  using E = typename Wit::Error;
  using Opened = std::expected<std::unique_ptr<typename Wit::Bucket>, E>;

  StoreHost(std::unique_ptr<Store> store, const Use& use) : store_(std::move(store)), use_(use) {}

  Answer<Opened> open(Call& call, std::string_view identifier) override {
    if (!use_.allows(identifier)) return Opened(std::unexpected(E::access_denied()));
    return store_->open(request_of(call), {call.context().app(), identifier})
        .settle([](Result<std::unique_ptr<Bucket>> bucket) -> Opened {
          if (!bucket) return std::unexpected(error_of<E>(bucket.error()));
          return std::make_unique<BucketClass>(*std::move(bucket));
        });
  }

 private:
  std::unique_ptr<Store> store_;
  const Use& use_;
};

// Batches. `Row` makes what get-many answers for one key: the shapes differ in that alone.
template <class Wit, class Base, class Row>
class BatchHost final : public Base {
 public:
  using E = typename Wit::Error;
  using Values = std::vector<std::optional<Bytes>>;
  using Rows = std::vector<typename Row::Type>;

  Answer<std::expected<Rows, E>> get_many(Call& call, typename Wit::Bucket& bucket,
                                          std::vector<std::string_view> keys) override {
    // The answer may come late, when the guest's keys are gone.
    std::vector<std::string> owned(keys.begin(), keys.end());
    return bucket_of<Wit>(bucket)
        ->get_many(request_of(call), keys)
        .settle(
            [owned = std::move(owned)](Result<Values> values) mutable -> std::expected<Rows, E> {
              if (!values) return std::unexpected(error_of<E>(values.error()));
              Rows rows;
              rows.reserve(owned.size());
              for (std::size_t i = 0; i < owned.size(); ++i) {
                rows.push_back(Row::make(std::move(owned[i]), std::move((*values)[i])));
              }
              return rows;
            });
  }
  Answer<std::expected<void, E>> set_many(Call& call, typename Wit::Bucket& bucket,
                                          std::vector<Pair> key_values) override {
    return result_of<E>(bucket_of<Wit>(bucket)->set_many(request_of(call), key_values));
  }
  Answer<std::expected<void, E>> delete_many(Call& call, typename Wit::Bucket& bucket,
                                             std::vector<std::string_view> keys) override {
    return result_of<E>(bucket_of<Wit>(bucket)->erase_many(request_of(call), keys));
  }
};

// Shape A: the pair, or nothing for an absent key.
struct PairOrNothing {
  using Type = std::optional<std::tuple<std::string, Bytes>>;
  static Type make(std::string key, std::optional<Bytes> value) {
    if (!value) return std::nullopt;
    return std::tuple(std::move(key), *std::move(value));
  }
};

// Shape B: the key, and its value or nothing.
struct KeyAndValue {
  using Type = std::tuple<std::string, std::optional<Bytes>>;
  static Type make(std::string key, std::optional<Bytes> value) {
    return {std::move(key), std::move(value)};
  }
};

// The providers of one interface each, as keyvalue.cc lists them.
std::unique_ptr<Provider> draft_store(std::unique_ptr<Store> store, const Use& use);
std::unique_ptr<Provider> draft_atomics(std::unique_ptr<Store> store, const Use& use);
std::unique_ptr<Provider> draft_batch(std::unique_ptr<Store> store, const Use& use);
std::unique_ptr<Provider> draft2_store(std::unique_ptr<Store> store, const Use& use);
std::unique_ptr<Provider> draft2_atomics(std::unique_ptr<Store> store, const Use& use);
std::unique_ptr<Provider> draft2_batch(std::unique_ptr<Store> store, const Use& use);
std::unique_ptr<Provider> draft2_batch_rows(std::unique_ptr<Store> store, const Use& use);

// For who is told of changes: the bucket as a parameter, in each version.
void draft_write_bucket(Writer& out, std::unique_ptr<Bucket> bucket);
void draft2_write_bucket(Writer& out, std::unique_ptr<Bucket> bucket);

}  // namespace weft::keyvalue
