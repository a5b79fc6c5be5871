#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "remote/azure/access.h"
#include "remote/azure/shared_key.h"
#include "remote/http/service.h"

namespace weft::remote::azure {

// What is known of a blob without its bytes.
struct Blob {
  std::uint64_t size = 0;
  std::uint64_t modified_at = 0;  // Seconds since 1970.
  std::string etag;
  std::string noted;    // What was kept beside it, see `Put`.
  std::string copying;  // How far a copy is that became this blob: "pending", "success" ...
};

struct Listed {
  std::string name;
  std::string noted;
};
// Blobs in the order of their names.
struct BlobList {
  std::vector<Listed> blobs;
  bool more = false;
};

// One loop's requests to one container of a storage account. Shared by whoever asks on the loop,
// and by what they have under way.
class Blobs : public std::enable_shared_from_this<Blobs> {
 public:
  using Response = std::unique_ptr<HttpResponse>;
  using Pieces = std::span<const Bytes>;  // Borrowed until the task has ended.
  using Repeat = HttpAsk::Repeat;

  // What is asked for in a list at most.
  static constexpr std::size_t kListMax = 1'000;
  static constexpr std::size_t kDeletesAtOnce = 16;

  Blobs(Loop& loop, std::shared_ptr<const Settings> settings);

  Loop& loop() { return service_->loop(); }
  const Settings& settings() const { return *settings_; }

  // Nothing where there is no such blob.
  Task<std::optional<Blob>> head(std::string name, Deadline deadline);
  struct Range {
    std::uint64_t first = 0;
    std::uint64_t last = UINT64_MAX;
  };
  // The bytes of a range. kNotFound; kConflict where it is not `etag` any more. A response of 416
  // has none of the range.
  Task<Response> get(std::string name, Range range, std::string etag, Deadline deadline);

  struct Put {
    std::string noted = {};  // Kept beside the blob: any bytes, unless it is empty.
    // The blob has to have this ETag; kAbsent: there must be none; empty: whatever is there.
    std::string etag = {};
    Repeat repeat = Repeat::kNo;  // Whether it may be done twice.
  };
  static constexpr std::string_view kAbsent = "*";
  // All of a blob; its new ETag, or nothing where another is there than `put.etag` says.
  Task<std::optional<std::string>> put(std::string name, Pieces body, Put put, Deadline deadline);
  Task<void> remove(std::string name, Repeat repeat, Deadline deadline);
  // Several at once. The first failure, when all that were begun have ended.
  Task<void> remove_many(std::vector<std::string> names, Deadline deadline);
  // False: the source is not there. `noted` is what is kept beside the copy where `renote`, else
  // what is kept beside the source.
  struct Copy {
    std::string from;
    std::string to;
    bool renote = false;
    std::string noted = {};
  };
  Task<bool> copy(Copy copy, Deadline deadline);

  // A part of a blob that is there when `put_blocks` has named it.
  Task<void> put_block(std::string name, std::string id, Pieces body, Deadline deadline);
  // kConflict where another has finished that blob since its blocks were put.
  Task<void> put_blocks(std::string name, std::vector<std::string> ids, std::string noted,
                        Deadline deadline);

  // Those whose names begin with `prefix` and come behind `after`, which need not be there; all of
  // them where it is empty. Some, unless there are none.
  Task<BlobList> list(std::string prefix, std::string after, std::size_t most, Deadline deadline);
  // Whether the container is there and lets us list it; the failure says what is wrong.
  Task<void> reach(Deadline deadline);

 private:
  struct Ask {
    std::string method;
    std::string name = {};  // Empty: the container itself.
    Fields query = {};
    Fields headers = {};
    Pieces body = {};
    Repeat repeat = Repeat::kYes;
  };
  struct Removal;

  std::string path_of(std::string_view name) const;
  Task<Response> ask(Ask ask, Deadline deadline);
  // The failure that a response which is no success tells. Reads its body.
  Task<Error> explain(Response response, Deadline deadline);
  Error told(const HttpResponse& response, std::string_view message) const;
  Task<void> settle(Response response, unsigned wanted, Deadline deadline);
  Task<void> copied(std::string name, Deadline deadline);
  static Task<void> remove_some(std::shared_ptr<Blobs> blobs, std::shared_ptr<Removal> removal);

  std::shared_ptr<const Settings> settings_;
  std::shared_ptr<HttpService> service_;  // Shared with the responses.
  Signer signer_;
};

}  // namespace weft::remote::azure
