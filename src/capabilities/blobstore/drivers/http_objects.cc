#include "capabilities/blobstore/drivers/http_objects.h"

#include <charconv>

namespace weft::blobstore {
namespace {

class ResumingReader final : public ObjectReader {
 public:
  ResumingReader(std::unique_ptr<remote::HttpResponse> response, std::uint64_t offset,
                 std::uint64_t size, ReadAgain again)
      : again_(std::move(again)),
        etag_(response->header("etag")),
        response_(std::move(response)),
        offset_(offset),
        size_(size),
        left_(size) {}

  std::uint64_t size() const override { return size_; }

  Task<Bytes> read(Request request) override {
    if (left_ == 0) co_return Bytes();
    for (unsigned resumes = 0;; ++resumes) {
      if (response_ == nullptr) CO_TRY_VOID(co_await resume(request));
      auto piece = co_await response_->read(request.deadline);
      if (piece && !piece->empty() && piece->size() <= left_) {
        left_ -= piece->size();
        offset_ += piece->size();
        // Nothing is left to come: the connection is free.
        if (left_ == 0) response_.reset();
        co_return std::move(*piece);
      }
      bool broke = piece || piece.error().code() == Errc::kUnavailable;
      if (!broke || resumes == kResumesMax) {
        if (!piece) co_return std::unexpected(std::move(piece).error());
        co_return failure(Errc::kCorrupt, "an object has another size than its head said");
      }
      response_.reset();
    }
  }

 private:
  // Goes on where the connection broke, if it is still the same object.
  Task<void> resume(Request request) {
    auto response = co_await again_(request, {offset_, offset_ + left_ - 1}, etag_);
    if (!response) {
      Errc code = response.error().code();
      if (code == Errc::kConflict || code == Errc::kNotFound) {
        co_return failure(Errc::kConflict,
                          "the object was replaced or deleted while it was being read, and the "
                          "connection broke: read it again");
      }
      co_return std::unexpected(std::move(response).error());
    }
    response_ = *std::move(response);
    co_return Result<void>();
  }

  const ReadAgain again_;
  const std::string etag_;
  // Null where a connection is still to be had, or not needed.
  std::unique_ptr<remote::HttpResponse> response_;
  std::uint64_t offset_;  // Of the next byte, in the object.
  const std::uint64_t size_;
  std::uint64_t left_;
};

class EmptyReader final : public ObjectReader {
 public:
  std::uint64_t size() const override { return 0; }
  Task<Bytes> read(Request) override { co_return Bytes(); }
};

}  // namespace

std::unique_ptr<ObjectReader> empty_reader() {
  return std::make_unique<EmptyReader>();
}

Result<std::unique_ptr<ObjectReader>> reader_of(std::unique_ptr<remote::HttpResponse> response,
                                                std::uint64_t offset, ReadAgain again) {
  if (response->status() == remote::kStatusNoRange) return empty_reader();
  std::string_view length = response->header("content-length");
  std::uint64_t size = 0;
  auto [end, problem] = std::from_chars(length.data(), length.data() + length.size(), size);
  if (length.empty() || problem != std::errc()) {
    return failure(Errc::kCorrupt, "an object whose size the server does not say");
  }
  return std::make_unique<ResumingReader>(std::move(response), offset, size, std::move(again));
}

}  // namespace weft::blobstore
