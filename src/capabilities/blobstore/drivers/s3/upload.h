#pragma once

#include <memory>
#include <string>
#include <vector>

#include "capabilities/blobstore/container.h"
#include "capabilities/blobstore/drivers/s3/client.h"

namespace weft::blobstore::s3 {

// Parts that one object may have.
inline constexpr unsigned kPartsMax = 10'000;
// How long a part may take that is sent while the next one is collected, its repetitions included.
inline constexpr std::chrono::minutes kPartTime{10};
// How long what was begun and is not wanted any more is cleaned up.
inline constexpr std::chrono::seconds kAbortTime{30};

// Bytes on their way into an object: collected to parts; the first one that is full begins a
// multipart upload, and while a part is sent half of the next one is collected. An object that is
// smaller is one request.
//
// Shared by the writer and by the task that sends a part. On one loop. An upload that is abandoned
// is aborted when nothing of it is being sent any more.
class Upload : public std::enable_shared_from_this<Upload> {
 public:
  Upload(std::shared_ptr<Client> client, std::string key, std::string name)
      : client_(std::move(client)),
        key_(std::move(key)),
        name_(std::move(name)),
        sent_(client_->loop()) {}

  Task<void> add(Request request, Bytes bytes);
  // The object is there. Once, and last.
  Task<void> commit(Request request);
  void abandon();

 private:
  void collect(Bytes bytes);
  Task<void> wait_sent(Request request);
  // Everything that is collected but what goes beyond one part.
  std::vector<Bytes> take_part();
  void send(std::vector<Bytes> part);
  static Task<void> send_part(std::shared_ptr<Upload> upload, std::vector<Bytes> part);
  Task<void> send_now(Request request, const std::vector<Bytes>& part);
  void clean_up();

  std::shared_ptr<Client> client_;  // Shared by all of the loop.
  const std::string key_;
  const std::string name_;
  std::vector<Bytes> pieces_;
  std::size_t collected_ = 0;
  std::string id_;  // Of the multipart upload, once it was begun.
  std::vector<Part> parts_;
  unsigned begun_ = 0;
  bool sending_ = false;
  bool over_ = false;
  Result<void> outcome_;  // Of the parts so far.
  remote::Signal sent_;
};

}  // namespace weft::blobstore::s3
