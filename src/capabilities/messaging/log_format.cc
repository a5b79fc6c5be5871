#include "capabilities/messaging/log_format.h"

#include <chrono>

#include "base/buffer.h"
#include "door/values.h"

namespace weft::messaging {

Bytes encode_dead(const DeadLetter& letter) {
  Buffer buffer;
  Writer out(buffer);
  out.write(std::string_view(letter.group));
  out.write(std::string_view(letter.reason));
  Bytes message = encode(letter.message);
  out.write(BytesView(message));
  out.write(static_cast<std::uint32_t>(letter.attempts));
  BytesView view = buffer.view();
  return {view.begin(), view.end()};
}

Result<DeadLetter> decode_dead(BytesView bytes) {
  Reader in(bytes);
  DeadLetter letter;
  letter.group = in.read<std::string>();
  letter.reason = in.read<std::string>();
  Bytes message = in.read<Bytes>();
  // One that was written before attempts were has none.
  if (in.left() > 0) letter.attempts = in.read<std::uint32_t>();
  if (Result<void> end = in.end(); !end) return failure(Errc::kCorrupt, "no dead letter");
  TRY(letter.message, decode(message));
  return letter;
}

std::int64_t now_ms() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace weft::messaging
