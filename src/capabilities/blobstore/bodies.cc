#include "capabilities/blobstore/bodies.h"

#include <fmt/format.h>

#include "io/loop.h"

namespace weft::blobstore {
namespace {

Request idle(Loop& loop) {
  return {loop, Deadline::after(kBodyIdle)};
}

}  // namespace

Result<Bodies::Place> Bodies::enter(const std::shared_ptr<Bodies>& bodies) {
  if (bodies->open_.fetch_add(1) < kOpenMax) return Place(bodies);
  --bodies->open_;
  return failure(Errc::kLimit,
                 fmt::format("{} objects are being read and written: finish some first", kOpenMax));
}

Result<void> Upload::enter() {
  if (place_) return {};
  TRY(auto place, Bodies::enter(bodies_));
  place_.emplace(std::move(place));
  return {};
}

Result<OutputPipe> Upload::open_body(const std::shared_ptr<Upload>& upload) {
  if (upload->ended_) return failure(Errc::kConflict, "the stream of this value was taken already");
  TRY_VOID(upload->enter());
  auto [end, body] = OutputPipe::make(upload->loop_);
  upload->body_ = std::move(body);
  auto [reader, writer] = Pipe::make(upload->loop_, PipeKind::kOne);
  upload->ended_ = std::move(reader);
  upload->loop_.spawn(pump(upload, std::move(writer)));
  return std::move(end);
}

// What went wrong goes to whoever finishes the value. A guest that still writes finds its stream
// closed.
Task<void> Upload::pump(std::shared_ptr<Upload> upload, PipeWriter ended) {
  Result<void> moved = co_await upload->move_all();
  upload->body_ = ByteReader();
  if (moved) {
    ended.finish();
  } else {
    ended.fail(std::move(moved).error());
  }
  co_return Result<void>();
}

bool Upload::body_open() {
  return body_.end().state() == PipeState::kNothingYet;
}

Task<void> Upload::move_all() {
  while (!abandoned_) {
    CO_TRY(Bytes part, co_await body_.read(kPartBytesMax, Deadline::after(kBodyIdle)));
    if (part.empty()) co_return Result<void>();
    CO_TRY_VOID(co_await put(std::move(part)));
    if (finishing_ && !abandoned_ && body_open()) break;
  }
  co_return failure(Errc::kConflict, "its stream is still open: drop that before finish");
}

Task<void> Upload::put(Bytes part) {
  if (writer_ == nullptr) co_return co_await spool_.add(idle(loop_), std::move(part));
  CO_TRY_VOID(co_await drain(idle(loop_)));
  co_return co_await writer_->write(idle(loop_), std::move(part));
}

Task<void> Upload::drain(Request request) {
  while (!spool_.empty()) {
    CO_TRY(Bytes part, co_await spool_.take(request));
    CO_TRY_VOID(co_await writer_->write(request, std::move(part)));
  }
  co_return Result<void>();
}

Task<void> Upload::bind(std::shared_ptr<Upload> upload, Request request,
                        std::shared_ptr<Container> container, std::string name) {
  if (upload->binding_ != Binding::kNone) {
    co_return failure(Errc::kConflict,
                      "this value was given to write-data already: make another for each object");
  }
  CO_TRY_VOID(upload->enter());
  upload->binding_ = Binding::kUnderWay;
  auto writer = co_await container->write(request, std::move(name));
  upload->binding_ = writer ? Binding::kDone : Binding::kNone;
  if (!writer) co_return std::unexpected(std::move(writer).error());
  upload->writer_ = *std::move(writer);
  co_return Result<void>();
}

Task<void> Upload::finish(std::shared_ptr<Upload> upload, Request request) {
  // However this ends, the pump ends too.
  struct Over {
    std::shared_ptr<Upload>& upload;
    ~Over() { upload->abandon(); }
  } over{upload};
  if (upload->writer_ == nullptr) {
    co_return failure(Errc::kInvalid,
                      "nothing was written: finish comes after write-data, which names the object");
  }
  if (upload->ended_) {
    if (upload->body_.end() && upload->body_open()) {
      co_return failure(Errc::kConflict, "its stream is still open: drop that before finish");
    }
    upload->finishing_ = true;
    CO_TRY_VOID(co_await upload->ended_.readable(request.deadline));
  }
  CO_TRY_VOID(co_await upload->drain(request));
  co_return co_await upload->writer_->commit(request);
}

// The writer stays until the pump, which may be writing, has let go of the upload.
void Upload::abandon() {
  abandoned_ = true;
  body_ = ByteReader();
}

Task<Bytes> Download::all(std::unique_ptr<Download> download, Request request) {
  std::uint64_t size = download->size();
  if (size > kSyncBodyBytesMax) {
    co_return failure(Errc::kLimit,
                      fmt::format("an object of {} bytes: at most {} are given at once. Read the "
                                  "stream (consume-async), or ranges",
                                  size, kSyncBodyBytesMax));
  }
  Bytes all;
  all.reserve(static_cast<std::size_t>(size));
  for (;;) {
    CO_TRY(Bytes part, co_await download->reader_->read(request));
    if (part.empty()) co_return all;
    all.insert(all.end(), part.begin(), part.end());
  }
}

InputPipe Download::stream(std::unique_ptr<Download> download, Loop& loop) {
  auto [body, writer] = InputPipe::make(loop);
  loop.spawn(pump(std::move(download), loop, std::move(writer)));
  return std::move(body);
}

// Reads no more than there is room for.
Task<void> Download::move_all(Loop& loop, ByteWriter& out) {
  for (;;) {
    CO_TRY_VOID(co_await out.end().writable(Deadline::after(kBodyIdle)));
    CO_TRY(Bytes part, co_await reader_->read(idle(loop)));
    if (part.empty()) co_return Result<void>();
    CO_TRY_VOID(co_await out.write(std::move(part), Deadline::after(kBodyIdle)));
  }
}

Task<void> Download::pump(std::unique_ptr<Download> download, Loop& loop, ByteWriter out) {
  Result<void> moved = co_await download->move_all(loop, out);
  if (moved) {
    out.finish();
  } else {
    out.fail(std::move(moved).error());
  }
  co_return Result<void>();
}

}  // namespace weft::blobstore
