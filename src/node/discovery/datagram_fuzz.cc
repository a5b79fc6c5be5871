// Datagrams of any bytes, and beacons whose fields are any bytes: nothing is believed that is not
// signed, and the neighbour that is there stays as it is. The first byte says which of them it is.

#include <cstdint>

#include "base/check.h"
#include "node/discovery/beacon_sender.h"
#include "node/discovery/neighbours.h"
#include "node/discovery/testing/test_beacons.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft;
  using namespace weft::node;
  using namespace weft::node::discovery;
  using node::discovery::testing::at;
  using node::discovery::testing::moment;
  static const SigningKey key = node::discovery::testing::test_key(1);
  static const SigningKey other = node::discovery::testing::test_key(2);
  if (size == 0) return 0;
  BytesView input(data + 1, size - 1);
  Moment now = moment(std::chrono::seconds(1));
  Neighbours table({.self = {}, .boot = 1}, now);
  Bytes first = sign(node::discovery::testing::test_beacon("a", 1, 1, now), key);
  CHECK(table.take(first, at("192.0.2.1"), now) == Heard::kNew);
  if (data[0] % 2 == 0) {
    Heard heard = table.take(input, at("192.0.2.2"), now);
    CHECK(heard >= Heard::kTooLong || heard == Heard::kAgain);
    CHECK(table.size() == 1);
    if (is_query(input)) CHECK(input.size() >= kQueryBytes);
  } else {
    // Well signed, whatever the fields are.
    Bytes bytes;
    begin_object(bytes, ObjectKind::kBeacon);
    FieldWriter(bytes).bytes(kSignerField, other.public_key().view());
    bytes.insert(bytes.end(), input.begin(), input.end());
    end_object(bytes, other);
    Heard heard = table.take(bytes, at("192.0.2.2"), now);
    const Neighbour* found = table.find(other.public_key());
    CHECK((heard == Heard::kNew) == (found != nullptr));
    if (found) CHECK(sign(found->beacon, other) == bytes);
  }
  CHECK(table.find(key.public_key())->beacon.name == "a");
  return 0;
}
