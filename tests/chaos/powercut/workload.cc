#include "workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <memory>
#include <random>

#include "capabilities/keyvalue/drivers/lmdb.h"
#include "capabilities/keyvalue/testing.h"
#include "capabilities/state_folder.h"
#include "io/loop.h"

namespace weft::powercut {
namespace {

using keyvalue::await;
using keyvalue::Bucket;
using keyvalue::LmdbDatabase;
using keyvalue::LmdbStore;
using keyvalue::Pair;
using keyvalue::Request;

constexpr std::size_t kAtOnce = 32;
// Small, so that the file has to grow on the way.
constexpr std::size_t kMapBytes = 64 << 10;
constexpr keyvalue::BucketName kBucket{"app", "powercut"};

std::string twin(const std::string& key) {
  return key + "/twin";
}

Answer<void> begin(Bucket& bucket, Request request, const Operation& operation) {
  switch (operation.kind) {
    case Operation::Kind::kSet:
      return bucket.set(request, operation.key, as_bytes(operation.value));
    case Operation::Kind::kErase: return bucket.erase(request, operation.key);
    case Operation::Kind::kPair:
      return bucket.set_many(request, {{operation.key, as_bytes(operation.value)},
                                       {twin(operation.key), as_bytes(operation.value)}});
  }
  return Error(Errc::kInternal, "no such operation");
}

// The last operation on one key that was acknowledged, and all that may have come after it.
Result<void> check_key(Bucket& bucket, Request request, std::uint64_t seed, const std::string& key,
                       const std::vector<std::uint64_t>& operations,
                       const std::function<bool(std::uint64_t)>& acknowledged) {
  std::int64_t last = -1;
  for (auto n : operations) last = acknowledged(n) ? static_cast<std::int64_t>(n) : last;
  auto answer = bucket.get(request, key);
  CHECK(answer.ready());
  TRY(auto value, std::move(answer.result()));
  auto text = value ? std::string(as_text(*value)) : "(none)";
  if (value) {
    std::uint64_t n = 0;
    std::from_chars(text.data(), text.data() + text.size(), n);
    bool known = std::ranges::find(operations, n) != operations.end();
    if (!known || operation(seed, n).value != text) {
      return failure(Errc::kCorrupt,
                     fmt::format("{} holds {:.40}..., which nobody wrote", key, text));
    }
    if (static_cast<std::int64_t>(n) >= last) return {};
  } else if (last < 0) {
    return {};
  } else {
    for (auto n : operations) {
      bool erased = operation(seed, n).kind == Operation::Kind::kErase;
      if (erased && static_cast<std::int64_t>(n) >= last) return {};
    }
  }
  return failure(Errc::kNotFound, fmt::format("{} holds {:.40}, and operation {} was acknowledged",
                                              key, text, last));
}

Result<std::string> text_of(Bucket& bucket, Request request, const std::string& key) {
  auto answer = bucket.get(request, key);
  CHECK(answer.ready());
  TRY(auto value, std::move(answer.result()));
  return value ? std::string(as_text(*value)) : "(none)";
}

}  // namespace

Operation operation(std::uint64_t seed, std::uint64_t n) {
  std::mt19937_64 chance(seed * 1'000'003 + n);
  Operation operation;
  auto key = chance() % kKeys;
  bool pair = key < 4;
  operation.kind = pair                ? Operation::Kind::kPair
                   : chance() % 6 == 0 ? Operation::Kind::kErase
                                       : Operation::Kind::kSet;
  operation.key = fmt::format("{}-{}", pair ? "pair" : "key", key);
  // Mostly small; some fill pages of their own.
  std::size_t size = chance() % 8 == 0 ? chance() % 20'000 : chance() % 100;
  operation.value = fmt::format("{}:", n);
  while (operation.value.size() < size) operation.value += fmt::format("{:x}", chance());
  return operation;
}

Result<void> run_workload(const std::filesystem::path& folder, std::uint64_t seed, Range range,
                          keyvalue::lmdb::Flush flush,
                          const std::function<void(std::uint64_t)>& acknowledged) {
  Loop loop;
  TRY(auto state, StateFolder::open(folder));
  TRY(auto place, state.subfolder("keyvalue"));
  TRY(auto database, LmdbDatabase::open(place, {.map_bytes_at_first = kMapBytes, .flush = flush}));
  Request request{loop, Deadline::never()};
  TRY(auto bucket, await(loop, LmdbStore(database->view(loop)).open(request, kBucket)));
  std::deque<std::pair<std::uint64_t, Answer<void>>> waiting;
  for (std::uint64_t n = range.first; n < range.first + range.count; ++n) {
    waiting.emplace_back(n, begin(*bucket, request, operation(seed, n)));
    while (waiting.size() == kAtOnce || (n + 1 == range.first + range.count && !waiting.empty())) {
      TRY_VOID(await(loop, std::move(waiting.front().second)));
      acknowledged(waiting.front().first);
      waiting.pop_front();
    }
  }
  return {};
}

Result<void> check_workload(const std::filesystem::path& folder, std::uint64_t seed,
                            std::uint64_t end,
                            const std::function<bool(std::uint64_t)>& acknowledged) {
  Loop loop;
  TRY(auto state, StateFolder::open(folder));
  TRY(auto place, state.subfolder("keyvalue"));
  TRY(auto database, LmdbDatabase::open(place, {.map_bytes_at_first = kMapBytes}));
  Request request{loop, Deadline::never()};
  TRY(auto bucket, await(loop, LmdbStore(database->view(loop)).open(request, kBucket)));
  std::map<std::string, std::vector<std::uint64_t>> operations;
  for (std::uint64_t n = 0; n < end; ++n) operations[operation(seed, n).key].push_back(n);
  for (const auto& [key, numbers] : operations) {
    TRY_VOID(check_key(*bucket, request, seed, key, numbers, acknowledged));
    if (!key.starts_with("pair")) continue;
    TRY(auto one, text_of(*bucket, request, key));
    TRY(auto other, text_of(*bucket, request, twin(key)));
    if (one != other) {
      return failure(Errc::kCorrupt, fmt::format("{} and its twin, written together, differ", key));
    }
  }
  return {};
}

}  // namespace weft::powercut
