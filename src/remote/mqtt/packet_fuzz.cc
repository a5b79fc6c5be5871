// Whatever bytes a server sends: packets within their bounds, or an error.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "remote/mqtt/packet.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft;
  BytesView bytes(data, size);
  for (;;) {
    auto length = remote::mqtt::packet_length(bytes);
    if (!length || !*length || **length > bytes.size()) return 0;
    CHECK(**length >= 2);
    auto packet = remote::mqtt::read_packet(bytes.first(**length));
    if (packet) CHECK(packet->publish.payload.size() <= **length);
    bytes = bytes.subspan(**length);
  }
}
