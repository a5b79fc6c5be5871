#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/blobstore/drivers/parted_upload.h"
#include "capabilities/blobstore/drivers/s3/client.h"

namespace weft::blobstore::s3 {

// Parts that one object may have.
inline constexpr unsigned kPartsMax = 10'000;
// How long what was begun and is not wanted any more is cleaned up.
inline constexpr std::chrono::seconds kAbortTime{30};

// The first part that is full begins a multipart upload, which is aborted when it is abandoned:
// what the server keeps of a half upload costs its owner money.
class Upload final : public PartedUpload {
 public:
  // `name` is kept beside the object, unless it is empty.
  Upload(std::shared_ptr<Client> client, std::string key, std::string name)
      : PartedUpload(client->loop(), client->settings().part_bytes),
        client_(std::move(client)),
        key_(std::move(key)),
        name_(std::move(name)) {}

 private:
  Task<void> put_whole(Request request, const std::vector<Bytes>& object) override;
  Task<void> put_part(Request request, const std::vector<Bytes>& part) override;
  Task<void> complete(Request request) override;
  void clean_up() override;

  std::shared_ptr<Client> client_;  // Shared by all of the loop.
  const std::string key_;
  const std::string name_;
  std::string id_;  // Of the multipart upload, once it was begun.
  std::vector<Part> parts_;
  unsigned numbered_ = 0;
};

}  // namespace weft::blobstore::s3
