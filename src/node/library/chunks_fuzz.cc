// Any bytes as a module's list, under their own name and under others: what is taken encodes to the
// same bytes, and no more is taken for it than they say.

#include "base/check.h"
#include "node/library/chunks.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft;
  using namespace weft::node;
  using namespace weft::node::library;
  BytesView bytes(data, size);
  CHECK(!ChunkList::decode(bytes, Hash::of(bytes)));
  Hasher hasher;
  hasher.add(as_bytes("weft module 1\n"));
  hasher.add(bytes);
  Hash name = hasher.finish();
  auto list = ChunkList::decode(bytes, name);
  if (list) {
    CHECK(list->name() == name && list->size() > 0 && list->size() <= kModuleBytesMax);
    Bytes again = list->encode();
    CHECK(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
    CHECK(!list->verify(list->count(), bytes));
    Hash other = name;
    other.bytes[0] ^= 1;
    CHECK(!ChunkList::decode(bytes, other));
  }
  // The same bytes as a module, and as the bits of one.
  auto made = ChunkList::of(bytes);
  CHECK(made.has_value() == (size > 0));
  if (made) CHECK(*ChunkList::decode(made->encode(), made->name()) == *made);
  for (std::size_t count = size * 8; count + 8 > size * 8 && count > 0; --count) {
    auto bits = ChunkBits::decode(bytes, count);
    if (bits) CHECK(std::equal(bits->view().begin(), bits->view().end(), data, data + size));
  }
  return 0;
}
