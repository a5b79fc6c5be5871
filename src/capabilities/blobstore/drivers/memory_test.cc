// Shows that the memory store has a bound and counts what it holds.
#include "capabilities/blobstore/drivers/memory.h"

#include <gtest/gtest.h>

#include "capabilities/blobstore/conformance.h"

namespace weft::blobstore {
namespace {

TEST(Memory, a_full_store_refuses_and_goes_on_when_there_is_room) {
  auto backend = memory_backend(10'000);
  Hand hand(*backend);
  auto c = hand.create("c");
  hand.put(*c, "a", std::string(6'000, 'a'));
  auto writer = *hand.wait(c->write(hand.request(), "b"));
  auto refused = hand.wait(writer->write(hand.request(), Bytes(6'000)));
  EXPECT_EQ(code_of(refused), "(full)");
  // A part that was refused takes nothing.
  EXPECT_TRUE(hand.wait(writer->write(hand.request(), Bytes(2'000))).has_value());
  writer.reset();
  ASSERT_TRUE(hand.wait(c->erase(hand.request(), {"a"})).has_value());
  hand.put(*c, "b", std::string(6'000, 'b'));
  EXPECT_EQ(hand.get(*c, "b").size(), 6'000u);
}

TEST(Memory, what_is_still_read_is_counted) {
  auto blobs = std::make_shared<MemoryBlobs>();
  Loop loop;
  MemoryStore store(blobs);
  Request request{loop, Deadline::never()};
  auto wait = [&](auto task) { return testing::run_task(loop, std::move(task)); };
  ASSERT_TRUE(wait(store.create(request, {"app", "c"})).has_value());
  std::size_t empty = blobs->budget->bytes();
  auto c = *wait(store.open(request, {"app", "c"}));
  auto writer = *wait(c->write(request, "o"));
  ASSERT_TRUE(wait(writer->write(request, Bytes(5'000))).has_value());
  EXPECT_EQ(blobs->budget->bytes(), empty + 5'000);
  ASSERT_TRUE(wait(writer->commit(request)).has_value());
  writer.reset();
  auto reader = *wait(c->read(request, "o", {}));
  ASSERT_TRUE(wait(c->erase(request, {"o"})).has_value());
  EXPECT_EQ(blobs->budget->bytes(), empty + 5'000);
  reader.reset();
  EXPECT_EQ(blobs->budget->bytes(), empty);
}

TEST(Memory, names_are_not_for_nothing) {
  auto backend = memory_backend(10'000);
  Hand hand(*backend);
  auto c = hand.create("c");
  hand.put(*c, "o", "x");
  Result<void> copied;
  int copies = 0;
  for (; copied && copies < 100; ++copies) {
    ObjectId from{{"app", "c"}, "o"}, to{{"app", "c"}, std::to_string(copies)};
    copied = hand.wait(hand.store().copy(hand.request(), from, to));
  }
  EXPECT_EQ(code_of(copied), "(full)");
}

}  // namespace
}  // namespace weft::blobstore
