// Shows that of a great many requests that were changed somewhere none is admitted, and that memory
// and disk are after them what they were before: WEFT_MUTATIONS says how many, up to 10^7.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "node/admission/testing.h"

namespace weft::node {
namespace {

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr std::uint64_t kMutationsDefault = 50'000;
#else
constexpr std::uint64_t kMutationsDefault = 1'000'000;
#endif
constexpr std::uint64_t kMutationsMost = 10'000'000;
// What the allocator may have more afterwards, whatever the count.
constexpr std::size_t kGrowthMax = 64 << 10;

constexpr std::string_view kOpen = R"(
[rates]
address = { rate = 1000000, burst = 1000000 }
key = { rate = 1000000, burst = 1000000 }
[group.friends]
may = ["describe", "fetch", "run", "call"]
)";

std::uint64_t count() {
  const char* text = std::getenv("WEFT_MUTATIONS");
  if (text == nullptr) return kMutationsDefault;
  return std::min<std::uint64_t>(std::strtoull(text, nullptr, 10), kMutationsMost);
}

void mutate(Bytes& bytes, const Bytes& other, std::mt19937_64& random) {
  auto at = [&] { return static_cast<std::ptrdiff_t>(random() % bytes.size()); };
  for (std::uint64_t times = 1 + random() % 3; times > 0 && !bytes.empty(); --times) {
    switch (random() % 8) {
      case 0: bytes[at()] ^= static_cast<std::uint8_t>(1 << random() % 8); break;
      case 1: bytes[at()] = static_cast<std::uint8_t>(random()); break;
      case 2: bytes.insert(bytes.begin() + at(), static_cast<std::uint8_t>(random())); break;
      case 3: bytes.erase(bytes.begin() + at()); break;
      case 4: std::swap(bytes[at()], bytes[at()]); break;
      case 5: bytes.resize(1 + random() % bytes.size()); break;
      case 6: {  // A piece of another one that is signed as well.
        std::size_t from = static_cast<std::size_t>(at());
        std::size_t size = random() % (std::min(bytes.size(), other.size()) + 1);
        for (std::size_t i = from; i < std::min({from + size, bytes.size(), other.size()}); ++i) {
          bytes[i] = other[i];
        }
        break;
      }
      case 7: {  // A length that says something else.
        std::size_t from = 6 + random() % 8;
        for (std::size_t i = from; i < std::min(from + 4, bytes.size()); ++i) {
          bytes[i] = static_cast<std::uint8_t>(random());
        }
        break;
      }
    }
  }
}

std::uintmax_t disk_bytes(const TestNode& node) {
  std::uintmax_t bytes = 0;
  for (const auto& each :
       std::filesystem::recursive_directory_iterator(node.folder.path() / "seen")) {
    bytes += each.file_size();
  }
  return bytes;
}

TEST(Mutation, NoChangedRequestIsAdmittedAndNothingGrows) {
  TestNode node(kOpen);
  std::vector<Bytes> signed_requests;
  for (Action action : {Action::kDescribe, Action::kFetch, Action::kRun, Action::kCall,
                        Action::kResume, Action::kCancel}) {
    signed_requests.push_back(sign(test_request(action), test_key('k')));
  }
  std::uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  std::map<int, std::uint64_t> statuses;
  std::uint64_t left = count();
  auto some = [&]() -> const Bytes& { return signed_requests[random() % signed_requests.size()]; };
  Bytes bytes;
  auto one = [&] {
    const Bytes& whole = some();
    bytes = whole;
    mutate(bytes, some(), random);
    if (std::ranges::find(signed_requests, bytes) != signed_requests.end()) return;
    node.steady += std::chrono::milliseconds(1);
    int status = node.status(bytes);
    ASSERT_NE(status, 200) << hex(bytes);
    ++statuses[status];
  };
  // What is only made once is made now.
  for (int i = 0; i < 1'000; ++i) one();
  std::size_t memory = mallinfo2().uordblks;
  std::uintmax_t disk = disk_bytes(node);
  for (; left > 0 && !HasFatalFailure(); --left) one();
  EXPECT_LE(mallinfo2().uordblks, memory + kGrowthMax);
  EXPECT_EQ(disk_bytes(node), disk);
  EXPECT_EQ(node.seen->size(), 0u);
  for (int each : {400, 401, 421, 410}) {
    EXPECT_GT(statuses[each], 0u) << each;
    RecordProperty(std::to_string(each), std::to_string(statuses[each]));
  }
  // And none of them took anything away.
  for (const Bytes& each : signed_requests) EXPECT_EQ(node.status(each), 200);
}

}  // namespace
}  // namespace weft::node
