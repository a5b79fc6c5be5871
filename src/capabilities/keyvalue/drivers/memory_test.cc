// Shows that the memory store has a bound and counts what it holds.
#include "capabilities/keyvalue/drivers/memory.h"

#include <gtest/gtest.h>

#include "capabilities/keyvalue/testing.h"

namespace weft::keyvalue {
namespace {

TEST(Memory, a_full_store_refuses_and_goes_on_when_there_is_room) {
  Loop loop;
  Request request{loop, Deadline::never()};
  MemoryStore store(std::make_shared<MemoryDatabase>(100));
  auto bucket = *await(loop, store.open(request, {"app", "b"}));
  Bytes value(48);
  ASSERT_TRUE(await(loop, bucket->set(request, "k1", value)).has_value());
  ASSERT_TRUE(await(loop, bucket->set(request, "k2", value)).has_value());
  EXPECT_EQ(await(loop, bucket->set(request, "k3", {})).error().code(), Errc::kFull);
  EXPECT_EQ(await(loop, bucket->increment(request, "n", 1)).error().code(), Errc::kFull);
  EXPECT_EQ(await(loop, bucket->set_many(request, {{"a", {}}, {"b", {}}})).error().code(),
            Errc::kFull);
  EXPECT_FALSE(*await(loop, bucket->exists(request, "a")));
  // What replaces a value needs no room beyond it.
  EXPECT_TRUE(await(loop, bucket->set(request, "k2", value)).has_value());
  ASSERT_TRUE(await(loop, bucket->erase(request, "k1")).has_value());
  EXPECT_TRUE(await(loop, bucket->set(request, "k3", value)).has_value());
}

}  // namespace
}  // namespace weft::keyvalue
