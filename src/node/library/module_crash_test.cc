// Shows that a download survives kill -9 at any moment: a child that fetches is killed, again and
// again, and each time what is there verifies, until all of it is.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "capabilities/test_folder.h"
#include "node/library/library_testing.h"
#include "node/library/module_store.h"

namespace weft::node::library {
namespace {

constexpr std::uint64_t kMuch = 64 * 1024 * 1024;

// In the child: what is missing is put, one chunk after the other.
[[noreturn]] void fetch(const std::filesystem::path& folder, BytesView module,
                        const ChunkList& list) {
  TestMeter meter;
  auto store = ModuleStore::open({.folder = folder, .bytes_max = kMuch}, meter);
  if (!store || !(*store)->begin(list, "friends")) _exit(1);
  auto have = (*store)->have(list.name());
  if (!have) _exit(1);
  for (std::size_t i = 0; i < list.count(); ++i) {
    if (have->has(i)) continue;
    if (!(*store)->put(list.name(), i, chunk_of(module, list, i))) _exit(1);
    usleep(200);
  }
  _exit(0);
}

TEST(ModuleCrash, AKilledDownloadGoesOnWithWhatItHad) {
  TestFolder folder;
  Bytes module = some_module(60 * kChunkBytes + 3, 1);
  ChunkList list = *ChunkList::of(module);
  std::mt19937 random(1);
  std::size_t had = 0;
  int killed = 0;
  for (int round = 0; round < 200; ++round) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) fetch(folder.path() / "modules", module, list);
    // Longer each time: a slow machine gets there as well.
    usleep(500 + random() % 6'000 + static_cast<unsigned>(round) * 300);
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    if (WIFSIGNALED(status)) ++killed;

    TestMeter meter;
    auto store =
        *ModuleStore::open({.folder = folder.path() / "modules", .bytes_max = kMuch}, meter);
    auto have = store->have(list.name());
    if (!have) continue;  // It was killed before it had begun.
    ASSERT_GE(have->there(), had) << "a chunk that counted is gone";
    had = have->there();
    for (std::size_t i = 0; i < list.count(); ++i) {
      if (have->has(i)) {
        auto chunk = store->read(list.name(), i);
        ASSERT_TRUE(chunk && list.verify(i, *chunk));
      }
    }
    if (have->all()) break;
  }
  ASSERT_EQ(had, list.count());
  EXPECT_GT(killed, 0);
  TestMeter meter;
  auto store = *ModuleStore::open({.folder = folder.path() / "modules", .bytes_max = kMuch}, meter);
  EXPECT_EQ(*ChunkList::of_file(*store->path(list.name())), list);
  EXPECT_EQ(meter.has("friends"), stored_bytes(list));
}

// As a power cut leaves a part: of its size, with blocks that came to the disk and others that did
// not.
TEST(ModuleCrash, AChunkThatCameToTheDiskByHalfDoesNotCount) {
  TestFolder folder;
  Bytes module = some_module(4 * kChunkBytes, 2);
  ChunkList list = *ChunkList::of(module);
  std::filesystem::path part;
  {
    TestMeter meter;
    auto store = *ModuleStore::open({.folder = folder.path(), .bytes_max = kMuch}, meter);
    ASSERT_TRUE(store->begin(list, "friends"));
    for (std::size_t i = 0; i < 3; ++i) {
      ASSERT_TRUE(store->put(list.name(), i, chunk_of(module, list, i)));
    }
    part = folder.path() / (list.name().text() + ".part");
  }
  Bytes zeros(4'096);
  int file = open(part.c_str(), O_WRONLY);
  ASSERT_EQ(pwrite(file, zeros.data(), zeros.size(), kChunkBytes + 8'192), 4'096);
  ASSERT_EQ(ftruncate(file, 2 * kChunkBytes + 10), 0);
  close(file);
  TestMeter meter;
  auto store = *ModuleStore::open({.folder = folder.path(), .bytes_max = kMuch}, meter);
  ChunkBits have = *store->have(list.name());
  EXPECT_EQ(have.there(), 1u);
  EXPECT_TRUE(have.has(0));
  for (std::size_t i = 1; i < 4; ++i) {
    ASSERT_TRUE(store->put(list.name(), i, chunk_of(module, list, i)));
  }
  EXPECT_EQ(*ChunkList::of_file(*store->path(list.name())), list);
}

}  // namespace
}  // namespace weft::node::library
