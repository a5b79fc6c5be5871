#include "door/stream.h"

#include <fmt/format.h>

namespace weft {

Task<Bytes> ByteReader::read(std::size_t max, Deadline deadline) {
  CO_TRY(bool more, co_await end_.readable(deadline));
  if (!more) co_return Bytes();
  BytesView view = end_.view().first(std::min(max, end_.view().size()));
  Bytes part(view.begin(), view.end());
  end_.take(part.size());
  co_return part;
}

Task<Bytes> ByteReader::read_all(std::size_t max, Deadline deadline) {
  Bytes all;
  for (;;) {
    CO_TRY(bool more, co_await end_.readable(deadline));
    if (!more) co_return all;
    BytesView view = end_.view();
    if (view.size() > max - all.size()) {
      co_return failure(Errc::kLimit, fmt::format("a stream has more than {} bytes", max));
    }
    all.insert(all.end(), view.begin(), view.end());
    end_.take(view.size());
  }
}

Task<void> ByteWriter::write(Bytes bytes, Deadline deadline) {
  BytesView left = bytes;
  while (!left.empty()) {
    CO_TRY_VOID(co_await end_.writable(deadline));
    left = left.subspan(end_.write(left));
  }
  co_return Result<void>();
}

std::pair<InputPipe, ByteWriter> InputPipe::make(Loop& loop) {
  auto [reader, writer] = Pipe::make(loop, kKind);
  return {InputPipe(std::move(reader)), ByteWriter(std::move(writer))};
}

std::pair<OutputPipe, ByteReader> OutputPipe::make(Loop& loop) {
  auto [reader, writer] = Pipe::make(loop, kKind);
  return {OutputPipe(std::move(writer)), ByteReader(std::move(reader))};
}

}  // namespace weft
