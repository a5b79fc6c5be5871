// Whatever bytes as a NATS server's: in one piece and in many they read as the same operations, or
// are refused alike, and what comes out is no more than what went in.
#include <string>

#include "base/check.h"
#include "remote/nats/protocol.h"

namespace {

using namespace weft;
using namespace weft::remote::nats;

std::string read(BytesView bytes, std::size_t step) {
  std::string all;
  OpParser parser;
  for (std::size_t at = 0; at < bytes.size();) {
    auto used = parser.feed(bytes.subspan(at, std::min(step, bytes.size() - at)));
    if (!used) return all + "refused";
    CHECK(*used > 0);
    at += *used;
    if (!parser.done()) continue;
    ServerOp op = parser.take();
    CHECK(op.text.size() + op.subject.size() + op.headers.size() + op.payload.size() <=
          bytes.size());
    all += op.text + '|' + op.subject + '|' + op.reply + '|';
    all += as_text(op.headers);
    all += '|';
    all += as_text(op.payload);
    all += '\n';
    if (op.headers.empty()) continue;
    if (auto headers = parse_headers(op.headers)) {
      CHECK(headers->fields.size() <= op.headers.size());
    }
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  BytesView bytes(data, size);
  std::string whole = read(bytes, size);
  CHECK(read(bytes, 1) == whole);
  CHECK(read(bytes, 3) == whole);
  return 0;
}
