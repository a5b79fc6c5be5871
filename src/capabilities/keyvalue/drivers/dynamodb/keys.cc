#include "capabilities/keyvalue/drivers/dynamodb/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "capabilities/keyvalue/drivers/dynamodb/item_format.h"
#include "capabilities/keyvalue/drivers/many.h"

namespace weft::keyvalue::dynamodb {

template <class T>
Task<void> Keys::run(std::shared_ptr<Keys> self, Turns::Number number, std::size_t bytes,
                     Deadline deadline, Task<T> work, Promise<T> promise) {
  Result<T> result = failure(Errc::kTimeout, "DynamoDB: the deadline passed before it was sent");
  if (!deadline.passed()) result = co_await std::move(work);
  Loop::Turn turn(self->loop());
  self->bytes_ -= bytes;
  self->turns_.leave(number);
  std::move(promise).fulfil(std::move(result));
  co_return Result<void>();
}

template <class T>
Answer<T> Keys::in_turn(std::vector<std::string> keys, std::size_t bytes, Deadline deadline,
                        Task<T> work) {
  if (deadline.passed()) return failure(Errc::kTimeout, "the deadline has passed");
  if (turns_.size() >= kWritesMax || bytes_ + bytes > kWritesBytesMax) {
    return failure(Errc::kLimit, fmt::format("DynamoDB: {} writes wait already", turns_.size()));
  }
  bytes_ += bytes;
  Promise<T> promise;
  Answer<T> answer = promise.answer();
  // Called while somebody has this object: now, or by a write that is over.
  turns_.enter(std::move(keys), [this, bytes, deadline, work = std::move(work),
                                 promise = std::move(promise)](Turns::Number number) mutable {
    auto self = std::static_pointer_cast<Keys>(shared_from_this());
    loop().spawn(
        run<T>(std::move(self), number, bytes, deadline, std::move(work), std::move(promise)));
  });
  return answer;
}

Answer<void> Keys::write(std::vector<Change> changes, Deadline deadline) {
  std::vector<std::string> keys;
  std::size_t bytes = 0;
  for (const Change& each : changes) {
    keys.push_back(each.key);
    bytes += each.key.size() + (each.value ? each.value->size() : 0);
  }
  return in_turn(std::move(keys), bytes, deadline,
                 write_items(items_, std::move(changes), deadline));
}

Answer<Written> Keys::swap(std::string key, Bytes value, Basis basis, Deadline deadline) {
  std::size_t bytes = key.size() + value.size();
  std::vector<std::string> keys{key};
  return in_turn(std::move(keys), bytes, deadline,
                 swap_item(items_, std::move(key), std::move(value), basis, deadline));
}

void Keys::read_basis(const std::string& key, Deadline deadline, Done<Snapshot> done) {
  promised(loop(), read_item(items_, key, deadline))
      .settle([done = std::move(done)](Result<Snapshot> found) mutable {
        done(std::move(found));
        return Nothing();
      });
}

void Keys::swap_basis(const std::string& key, const Snapshot& basis, Bytes value, Deadline deadline,
                      Done<std::uint64_t> done) {
  Basis found{.there = basis.value.has_value(), .version = basis.version, .wants_now = false};
  swap(key, std::move(value), found, deadline)
      .settle([done = std::move(done)](Result<Written> written) mutable {
        if (!written) {
          done(std::unexpected(std::move(written).error()));
        } else {
          done(written->done ? written->version : 0);
        }
        return Nothing();
      });
}

}  // namespace weft::keyvalue::dynamodb
