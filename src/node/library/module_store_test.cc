// Shows what a store of modules takes, keeps, charges and lets go, with modules of chance in a
// folder of the test's own, and that what the disk changes is found before it is used.
#include "node/library/module_store.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "capabilities/test_folder.h"
#include "node/library/library_testing.h"

namespace weft::node::library {
namespace {

constexpr std::uint64_t kMuch = 64 * 1024 * 1024;

class Store : public testing::Test {
 protected:
  Store() { open(kMuch); }

  void open(std::uint64_t bytes_max) {
    store.reset();
    store =
        *ModuleStore::open({.folder = folder.path() / "modules", .bytes_max = bytes_max}, meter);
  }
  // Begins it and puts all of it.
  ChunkList store_whole(BytesView module, std::string_view group, Keep keep = Keep::kWhileRoom) {
    ChunkList list = *ChunkList::of(module);
    EXPECT_TRUE(store->begin(list, group, keep));
    for (std::size_t i = 0; i < list.count(); ++i) {
      EXPECT_TRUE(store->put(list.name(), i, chunk_of(module, list, i)));
    }
    return list;
  }
  std::filesystem::path file(const ChunkList& list, std::string_view ending) {
    return folder.path() / "modules" / (list.name().text() + std::string(ending));
  }
  std::size_t files() {
    auto all = std::filesystem::directory_iterator(folder.path() / "modules");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }
  static void flip(const std::filesystem::path& path, std::size_t at) {
    std::fstream damaged(path, std::ios::in | std::ios::out | std::ios::binary);
    damaged.seekg(static_cast<std::streamoff>(at));
    char byte = static_cast<char>(damaged.get() ^ 1);
    damaged.seekp(static_cast<std::streamoff>(at));
    damaged.put(byte);
  }

  TestFolder folder;
  TestMeter meter;
  std::unique_ptr<ModuleStore> store;
};

Errc code_of(const auto& result) {
  return result ? Errc::kInternal : result.error().code();
}

TEST_F(Store, TakesChunksInAnyOrderAndIsWholeWithTheLast) {
  Bytes module = some_module(3 * kChunkBytes + 9, 1);
  ChunkList list = *ChunkList::of(module);
  EXPECT_EQ(code_of(store->put(list.name(), 0, {})), Errc::kNotFound);
  ASSERT_TRUE(store->begin(list, "friends"));
  for (std::size_t index : {3, 0, 2}) {
    EXPECT_EQ(*store->put(list.name(), index, chunk_of(module, list, index)), PutOutcome::kMore);
    EXPECT_TRUE(store->have(list.name())->has(index));
  }
  EXPECT_EQ(code_of(store->use(list.name())), Errc::kNotFound);
  EXPECT_EQ(code_of(store->read(list.name(), 1)), Errc::kNotFound);
  EXPECT_EQ(code_of(store->read(list.name(), 4)), Errc::kNotFound);
  EXPECT_EQ(*store->put(list.name(), 1, chunk_of(module, list, 1)), PutOutcome::kWhole);
  EXPECT_EQ(*store->put(list.name(), 1, chunk_of(module, list, 1)), PutOutcome::kWhole);
  auto use = store->use(list.name());
  ASSERT_TRUE(use);
  EXPECT_EQ(*ChunkList::of_file(use->path()), list);
  EXPECT_EQ(*store->read(list.name(), 3), Bytes(module.end() - 9, module.end()));
  EXPECT_EQ(*store->list_of(list.name()), list);
}

TEST_F(Store, APoisonedChunkCostsOneChunk) {
  Bytes module = some_module(3 * kChunkBytes, 2);
  ChunkList list = *ChunkList::of(module);
  ASSERT_TRUE(store->begin(list, "friends"));
  ASSERT_TRUE(store->put(list.name(), 0, chunk_of(module, list, 0)));
  Bytes poison = some_module(kChunkBytes, 3);
  EXPECT_EQ(code_of(store->put(list.name(), 1, poison)), Errc::kCorrupt);
  EXPECT_EQ(code_of(store->put(list.name(), 0, poison)), Errc::kCorrupt);
  EXPECT_EQ(code_of(store->put(list.name(), 3, poison)), Errc::kInvalid);
  EXPECT_EQ(store->have(list.name())->there(), 1u);
  EXPECT_TRUE(store->put(list.name(), 1, chunk_of(module, list, 1)));
  EXPECT_EQ(*store->put(list.name(), 2, chunk_of(module, list, 2)), PutOutcome::kWhole);
  EXPECT_TRUE(store->use(list.name()));
}

TEST_F(Store, IsTheSameAfterARestart) {
  Bytes module = some_module(2 * kChunkBytes, 4);
  ChunkList whole = store_whole(module, kOwnGroup, Keep::kPinned);
  ASSERT_TRUE(store->begin(whole, "friends"));
  Bytes other = some_module(20 * kChunkBytes, 5);
  ChunkList part = *ChunkList::of(other);
  ASSERT_TRUE(store->begin(part, "friends"));
  ASSERT_TRUE(store->put(part.name(), 17, chunk_of(other, part, 17)));
  auto charged = meter.has("friends");
  auto modules = store->list();
  auto bytes = store->use_of_room().bytes;

  meter.give_back("friends", charged);
  std::ofstream(folder.path() / "modules" / "somebody's") << "file";
  open(kMuch);
  EXPECT_EQ(meter.has("friends"), charged);
  EXPECT_EQ(store->use_of_room().bytes, bytes);
  ASSERT_EQ(store->list().size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(store->list()[i].owners, modules[i].owners);
  EXPECT_TRUE(store->use(whole.name()));
  EXPECT_EQ(store->have(part.name())->there(), 1u);
  EXPECT_TRUE(store->have(part.name())->has(17));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "modules" / "somebody's"));
}

TEST_F(Store, WhatTheDiskChangesIsNotRunAndCanBeMended) {
  Bytes module = some_module(5 * kChunkBytes, 6);
  ChunkList list = store_whole(module, "friends");
  ASSERT_TRUE(store->use(list.name()));
  flip(file(list, ".wasm"), 2 * kChunkBytes + 77);
  EXPECT_EQ(code_of(store->use(list.name())), Errc::kCorrupt);
  EXPECT_EQ(code_of(store->use(list.name())), Errc::kNotFound);
  EXPECT_FALSE(store->info(list.name())->whole);
  EXPECT_EQ(store->have(list.name())->there(), 4u);
  EXPECT_FALSE(store->have(list.name())->has(2));
  EXPECT_EQ(*store->put(list.name(), 2, chunk_of(module, list, 2)), PutOutcome::kWhole);
  EXPECT_EQ(*ChunkList::of_file(*store->path(list.name())), list);
}

TEST_F(Store, DamageOfAnyKindIsFoundAtRead) {
  std::mt19937 random(7);
  Bytes module = some_module(4 * kChunkBytes + 100, 7);
  ChunkList list = store_whole(module, "friends");
  for (int round = 0; round < 40; ++round) {
    std::size_t at = random() % module.size();
    std::size_t index = at / kChunkBytes;
    if (round % 2 == 0) open(kMuch);
    if (round % 4 == 3) {
      std::filesystem::resize_file(file(list, ".wasm"), at);
    } else {
      flip(file(list, ".wasm"), at);
    }
    EXPECT_EQ(code_of(store->read(list.name(), index)), Errc::kCorrupt) << round;
    auto have = *store->have(list.name());
    for (std::size_t i = 0; i < list.count(); ++i) {
      if (have.has(i) && !store->read(list.name(), i)) have.clear(i);
      if (!have.has(i)) EXPECT_TRUE(store->put(list.name(), i, chunk_of(module, list, i)));
    }
    EXPECT_TRUE(store->use(list.name())) << round;
  }
  std::ofstream(file(list, ".wasm"), std::ios::app) << "more";
  EXPECT_EQ(code_of(store->use(list.name())), Errc::kCorrupt);
  EXPECT_TRUE(store->use(list.name()));
}

TEST_F(Store, DamageInItsOwnNotesCostsNoModule) {
  Bytes module = some_module(2 * kChunkBytes, 8);
  ChunkList list = store_whole(module, "friends");
  ChunkList part = *ChunkList::of(some_module(kChunkBytes, 9));
  ASSERT_TRUE(store->begin(part, "friends"));
  flip(file(list, ".list"), 20);
  flip(file(part, ".list"), 20);
  std::ofstream(file(list, ".owners"))
      << "keeps ../x\npins a b\nnonsense\nkeeps friends\npins friends\n";
  std::ofstream(file(list, ".list.new")) << "half";
  open(kMuch);
  EXPECT_TRUE(store->use(list.name()));
  EXPECT_EQ(store->info(list.name())->owners, std::vector{ModuleOwner{"friends"}});
  EXPECT_EQ(code_of(store->info(part.name())), Errc::kNotFound);
  EXPECT_EQ(files(), 3u);
}

TEST_F(Store, ManyPutTheSameChunksAtOnce) {
  Bytes module = some_module(24 * kChunkBytes, 10);
  ChunkList list = *ChunkList::of(module);
  ASSERT_TRUE(store->begin(list, "friends"));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (std::size_t index = 0; index < list.count(); ++index) {
        EXPECT_TRUE(store->begin(list, "friends"));
        EXPECT_TRUE(store->put(list.name(), index, chunk_of(module, list, index)));
        EXPECT_TRUE(store->read(list.name(), index));
      }
      EXPECT_TRUE(store->use(list.name()));
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(meter.has("friends"), stored_bytes(list));
}

TEST_F(Store, ModulesComeAndGoUnderManyHands) {
  std::vector<Bytes> modules;
  for (unsigned i = 0; i < 4; ++i) modules.push_back(some_module(2 * kChunkBytes, 20 + i));
  open(2 * stored_bytes(*ChunkList::of(modules[0])));
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937 random(seed);
      std::string group = seed % 2 == 0 ? "friends" : "others";
      for (int round = 0; round < 150; ++round) {
        const Bytes& module = modules[random() % modules.size()];
        ChunkList list = *ChunkList::of(module);
        (void)store->begin(list, group);
        for (std::size_t i = 0; i < 2; ++i) {
          (void)store->put(list.name(), i, chunk_of(module, list, i));
        }
        if (auto use = store->use(list.name())) {
          EXPECT_EQ(*ChunkList::of_file(use->path()), list);
        }
        if (random() % 3 == 0) (void)store->remove(list.name(), group);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const ModuleInfo& each : store->list()) (void)store->remove_for_all(each.name);
  EXPECT_EQ(files(), 0u);
  EXPECT_EQ(store->use_of_room().bytes, 0u);
  EXPECT_EQ(meter.has("friends") + meter.has("others"), 0u);
}

TEST_F(Store, TheLeastRecentlyUsedGoesAndWhatIsPinnedStays) {
  std::vector<ChunkList> lists;
  std::uint64_t each = stored_bytes(*ChunkList::of(some_module(kChunkBytes, 0)));
  open(3 * each);
  lists.push_back(store_whole(some_module(kChunkBytes, 30), "friends", Keep::kPinned));
  lists.push_back(store_whole(some_module(kChunkBytes, 31), "friends"));
  lists.push_back(store_whole(some_module(kChunkBytes, 32), "others"));
  ASSERT_TRUE(store->read(lists[1].name(), 0));
  lists.push_back(store_whole(some_module(kChunkBytes, 33), "others"));
  EXPECT_TRUE(store->info(lists[0].name()));
  EXPECT_TRUE(store->info(lists[1].name()));
  EXPECT_FALSE(store->info(lists[2].name()));
  EXPECT_EQ(meter.has("others"), each);

  // What is in use stays too.
  auto use = store->use(lists[1].name());
  ASSERT_TRUE(store->set_keep(lists[3].name(), "others", Keep::kPinned));
  ChunkList more = *ChunkList::of(some_module(kChunkBytes, 34));
  EXPECT_EQ(code_of(store->begin(more, "others")), Errc::kFull);
  EXPECT_EQ(meter.has("others"), each);
  EXPECT_EQ(files(), 9u);
  use = failure(Errc::kCancelled, "");
  EXPECT_TRUE(store->begin(more, "others"));
  EXPECT_FALSE(store->info(lists[1].name()));
  EXPECT_EQ(code_of(store->set_keep(more.name(), "friends", Keep::kPinned)), Errc::kNotFound);
}

TEST_F(Store, AGroupAtItsQuotaGivesItsOwn) {
  std::uint64_t each = stored_bytes(*ChunkList::of(some_module(kChunkBytes, 0)));
  TestMeter two(2 * each);
  store = *ModuleStore::open({.folder = folder.path() / "quota", .bytes_max = kMuch}, two);
  ChunkList shared = store_whole(some_module(kChunkBytes, 40), "friends");
  ASSERT_TRUE(store->begin(shared, "others"));
  ChunkList mine = store_whole(some_module(kChunkBytes, 41), "friends", Keep::kPinned);
  ChunkList next = store_whole(some_module(kChunkBytes, 42), "friends");
  EXPECT_EQ(store->info(shared.name())->owners, std::vector{ModuleOwner{"others"}});
  EXPECT_TRUE(store->info(mine.name()));
  // Not for what is too large all the same.
  ChunkList large = *ChunkList::of(some_module(3 * kChunkBytes, 43));
  EXPECT_EQ(code_of(store->begin(large, "friends")), Errc::kLimit);
  EXPECT_TRUE(store->info(next.name()));
  EXPECT_EQ(two.has("friends"), 2 * each);
  EXPECT_EQ(two.has("others"), each);
}

TEST_F(Store, WhatIsUsedGoesWithItsLastUse) {
  Bytes module = some_module(kChunkBytes, 50);
  ChunkList list = store_whole(module, "friends");
  {
    auto use = *store->use(list.name());
    ASSERT_TRUE(store->remove(list.name(), "friends"));
    EXPECT_EQ(meter.has("friends"), 0u);
    EXPECT_TRUE(std::filesystem::exists(use.path()));
    ModuleInUse moved = std::move(use);
    EXPECT_EQ(moved.list(), list);
  }
  EXPECT_EQ(files(), 0u);
  EXPECT_EQ(code_of(store->remove(list.name(), "friends")), Errc::kNotFound);
  // Stored again while it is used, it stays.
  store_whole(module, "friends");
  {
    auto use = *store->use(list.name());
    ASSERT_TRUE(store->remove(list.name(), "friends"));
    ASSERT_TRUE(store->begin(list, "others"));
  }
  EXPECT_TRUE(store->use(list.name()));
}

TEST_F(Store, AFullDiskLeavesNothingBehind) {
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  Bytes module = some_module(4 * kChunkBytes, 60);
  ChunkList list = *ChunkList::of(module);
  std::ofstream(folder.path() / "module", std::ios::binary) << as_text(module);
  for (rlim_t most : {rlim_t{1}, rlim_t{100}, rlim_t{2 * kChunkBytes}}) {
    rlimit small{.rlim_cur = most, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    auto begun = store->begin(list, "friends");
    auto added = store->add_file(folder.path() / "module", "friends");
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(code_of(begun), Errc::kFull) << most;
    EXPECT_EQ(code_of(added), Errc::kFull) << most;
    EXPECT_EQ(files(), 0u);
    EXPECT_EQ(meter.has("friends"), 0u);
    EXPECT_EQ(store->use_of_room().bytes, 0u);
  }
  EXPECT_EQ(*store->add_file(folder.path() / "module", "friends"), list.name());
}

TEST_F(Store, GroupsHaveNamesOfFolders) {
  ChunkList list = *ChunkList::of(some_module(10, 70));
  for (std::string_view bad : {"../x", ".", "a/b", "a b", "a\nkeeps b"}) {
    EXPECT_EQ(code_of(store->begin(list, bad)), Errc::kInvalid) << bad;
  }
  EXPECT_EQ(files(), 0u);
}

}  // namespace
}  // namespace weft::node::library
