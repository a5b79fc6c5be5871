#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "capabilities/blobstore/container.h"
#include "capabilities/blobstore/drivers/parted_upload.h"
#include "remote/http/service.h"

// What drivers for object stores that speak HTTP have in common.
namespace weft::blobstore {

// How often in a row a body is asked for again that broke off and brought nothing.
inline constexpr unsigned kResumesMax = 3;

// Asks for the bytes of the object from `range` on, as long as its etag is the same.
using ReadAgain = std::function<Task<std::unique_ptr<remote::HttpResponse>>(
    Request request, Range range, std::string etag)>;

// Reads the body of an answer, which begins at `offset` in the object. A connection that breaks is
// replaced, as long as the object is the same.
Result<std::unique_ptr<ObjectReader>> reader_of(std::unique_ptr<remote::HttpResponse> response,
                                                std::uint64_t offset, ReadAgain again);
// Yields nothing.
std::unique_ptr<ObjectReader> empty_reader();

// Writes an object of the container that was there when it was begun, and of no other of that name.
template <class AContainer>
class VersionedWriter final : public ObjectWriter {
 public:
  VersionedWriter(AContainer container, std::string version, std::shared_ptr<PartedUpload> upload)
      : container_(std::move(container)),
        version_(std::move(version)),
        upload_(std::move(upload)) {}
  ~VersionedWriter() override { upload_->abandon(); }

  Task<void> write(Request request, Bytes part) override {
    co_return co_await upload_->add(request, std::move(part));
  }

  Task<void> commit(Request request) override {
    CO_TRY_VOID(check_begin(request.deadline));
    CO_TRY(std::string now, co_await container_.version(request));
    if (now != version_) co_return no_container(container_.name().name);
    co_return co_await upload_->commit(request);
  }

 private:
  AContainer container_;
  const std::string version_;
  std::shared_ptr<PartedUpload> upload_;  // Shared with the task that sends a part.
};

}  // namespace weft::blobstore
