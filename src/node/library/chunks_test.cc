// Shows that a module's name proves its list and the list each chunk, and that nothing else is
// taken, by changing every byte of a list and what it says of sizes.
#include "node/library/chunks.h"

#include <gtest/gtest.h>

#include <fstream>

#include "capabilities/test_folder.h"
#include "node/library/library_testing.h"
#include "node/object/fields.h"

namespace weft::node::library {
namespace {

TEST(ChunkList, IsWhatTheProtocolSays) {
  Bytes module = some_module(kChunkBytes + 1, 1);
  ChunkList list = *ChunkList::of(module);
  ASSERT_EQ(list.count(), 2u);
  EXPECT_EQ(list.chunk_size(0), kChunkBytes);
  EXPECT_EQ(list.chunk_size(1), 1u);
  Bytes named = to_bytes("weft module 1\n");
  append_u64(named, module.size());
  for (std::size_t i = 0; i < 2; ++i) {
    Hash hash = Hash::of(chunk_of(module, list, i));
    named.insert(named.end(), hash.bytes.begin(), hash.bytes.end());
  }
  EXPECT_EQ(module_name(list), Hash::of(named));
  EXPECT_EQ(list.encode(), Bytes(named.begin() + 14, named.end()));
}

TEST(ChunkList, OfAFileIsThatOfItsBytes) {
  TestFolder folder;
  std::string path = folder.path() / "module";
  for (std::size_t size : {std::size_t{1}, kChunkBytes - 1, kChunkBytes, 3 * kChunkBytes + 7}) {
    Bytes module = some_module(size, 2);
    std::ofstream(path, std::ios::binary) << as_text(module);
    EXPECT_EQ(*ChunkList::of_file(path), *ChunkList::of(module));
  }
  EXPECT_EQ(ChunkList::of_file(folder.path() / "none").error().code(), Errc::kNotFound);
  EXPECT_EQ(ChunkList::of_file(folder.path()).error().code(), Errc::kInvalid);
  EXPECT_EQ(ChunkList::of_file("/dev/zero").error().code(), Errc::kInvalid);
}

TEST(ChunkList, HasAtLeastAByteAndAtMostItsBound) {
  EXPECT_EQ(ChunkList::of({}).error().code(), Errc::kInvalid);
  for (std::uint64_t size : {std::uint64_t{0}, kModuleBytesMax + 1, UINT64_MAX}) {
    Bytes list;
    append_u64(list, size);
    EXPECT_FALSE(ChunkList::decode(list, Hash::of(list))) << size;
  }
  Bytes most;
  append_u64(most, kModuleBytesMax);
  most.resize(kListBytesMax);
  Bytes named = to_bytes("weft module 1\n");
  named.insert(named.end(), most.begin(), most.end());
  EXPECT_EQ(ChunkList::decode(most, Hash::of(named))->count(), kChunksMax);
}

TEST(ChunkList, OfAnotherNameIsRefused) {
  Bytes module = some_module(2 * kChunkBytes, 3);
  ChunkList list = *ChunkList::of(module);
  Bytes encoded = list.encode();
  EXPECT_EQ(*ChunkList::decode(encoded, list.name()), list);
  for (std::size_t at = 0; at < encoded.size(); ++at) {
    Bytes changed = encoded;
    changed[at] ^= 1;
    EXPECT_FALSE(ChunkList::decode(changed, list.name())) << at;
    EXPECT_FALSE(ChunkList::decode(BytesView(encoded).first(at), list.name())) << at;
  }
  encoded.push_back(0);
  EXPECT_FALSE(ChunkList::decode(encoded, list.name()));
}

TEST(ChunkList, TellsAChunkFromAnother) {
  Bytes module = some_module(2 * kChunkBytes + 5, 4);
  ChunkList list = *ChunkList::of(module);
  EXPECT_TRUE(list.verify(2, chunk_of(module, list, 2)));
  EXPECT_EQ(list.verify(0, chunk_of(module, list, 1)).error().code(), Errc::kCorrupt);
  EXPECT_EQ(list.verify(2, BytesView(module).first(4)).error().code(), Errc::kCorrupt);
  EXPECT_EQ(list.verify(2, module).error().code(), Errc::kCorrupt);
  EXPECT_EQ(list.verify(3, {}).error().code(), Errc::kInvalid);
}

TEST(ChunkBits, AreAsManyAsChunksAndReadBack) {
  ChunkBits bits(11);
  bits.set(0);
  bits.set(9);
  bits.set(9);
  EXPECT_EQ(bits.there(), 2u);
  EXPECT_EQ(Bytes(bits.view().begin(), bits.view().end()), (Bytes{1, 2}));
  EXPECT_EQ(*ChunkBits::decode(bits.view(), 11), bits);
  EXPECT_FALSE(ChunkBits::decode(bits.view(), 9));
  EXPECT_FALSE(ChunkBits::decode(bits.view(), 8));
  EXPECT_FALSE(ChunkBits::decode(bits.view(), 17));
  bits.clear(9);
  EXPECT_EQ(bits.there(), 1u);
  bits.set_all();
  EXPECT_TRUE(bits.all());
}

}  // namespace
}  // namespace weft::node::library
