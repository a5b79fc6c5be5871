#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "capabilities/blobstore/container.h"
#include "remote/aws/sigv4.h"
#include "remote/http/service.h"

namespace weft::blobstore::s3 {

// What an operator sets: see the README of this folder.
struct Settings {
  static constexpr std::size_t kPartBytesByDefault = std::size_t{8} << 20;

  std::string scheme = "https";
  std::string host;  // With a port that is not the scheme's own, and the bucket where it is there.
  std::string path;  // Before every key: "/BUCKET", or nothing where the host names the bucket.
  std::string bucket;
  std::string region = "us-east-1";
  std::optional<std::string> prefix = {};  // The one place of a container that is there already.
  remote::aws::Credentials credentials = {};
  std::string ca_file = {};
  std::chrono::milliseconds timeout{30'000};
  std::size_t part_bytes = kPartBytesByDefault;
  // What the clients see of the server. Shared by them; null where nobody wants to know.
  std::shared_ptr<remote::Health> health = nullptr;
};

// What is known of an object without its bytes.
struct Head {
  std::uint64_t size = 0;
  std::uint64_t modified_at = 0;  // Seconds since 1970.
  std::string etag;
  std::string name;  // Kept beside one whose key ends with a hash.
};

// Keys in the order of their bytes.
struct Listing {
  std::vector<std::string> keys;
  bool more = false;
};

struct Part {
  unsigned number;
  std::string etag;
};

// One loop's requests to one bucket. Shared by the loop's stores and containers, and by what they
// have under way.
class Client : public std::enable_shared_from_this<Client> {
 public:
  using Response = std::unique_ptr<remote::HttpResponse>;
  using Fields = remote::aws::Fields;
  using Pieces = std::span<const Bytes>;  // Borrowed until the task has ended.

  static constexpr std::size_t kDeleteMax = 1000;

  Client(Loop& loop, std::shared_ptr<const Settings> settings);

  Loop& loop() { return service_->loop(); }
  const Settings& settings() const { return *settings_; }

  // Nothing where there is no such object.
  Task<std::optional<Head>> head(Request request, std::string key);
  // The bytes of a range. kNotFound; kConflict where it is not `etag` any more. A response of 416
  // has none of the range.
  Task<Response> get(Request request, std::string key, Range range, std::string etag);
  // `name` is kept beside the object, unless it is empty.
  Task<void> put(Request request, std::string key, Pieces body, std::string name);
  // False: there is one.
  Task<bool> put_new(Request request, std::string key, std::string text);
  Task<void> remove(Request request, std::string key);
  Task<void> remove_many(Request request, std::vector<std::string> keys);
  // False: the source is not there.
  Task<bool> copy(Request request, std::string from, std::string to, bool new_name,
                  std::string name);
  Task<Listing> list(Request request, std::string prefix, std::string after, std::size_t most);
  // Whether the bucket is there and lets us list it; the failure says what is wrong.
  Task<void> reach(Request request);

  Task<std::string> begin_upload(Request request, std::string key, std::string name);
  Task<Part> put_part(Request request, std::string key, std::string upload, unsigned number,
                      Pieces body);
  Task<void> complete(Request request, std::string key, std::string upload,
                      std::vector<Part> parts);
  Task<void> abort(Request request, std::string key, std::string upload);

 private:
  struct Ask {
    std::string method;
    std::string key = {};  // Empty: the bucket itself.
    Fields query = {};
    Fields headers = {};
    Pieces body = {};
    std::string payload = {};  // The body's hash; empty: it is not signed.
    bool repeat = true;
  };
  Task<Response> ask(Request request, Ask ask);
  // What a status that is no success means. Reads the body.
  Task<Error> explain(Request request, Response response);
  Error told(const remote::HttpResponse& response, std::string_view code, std::string_view message);
  Task<void> settle(Request request, Response response);

  std::shared_ptr<const Settings> settings_;
  std::shared_ptr<remote::HttpService> service_;  // Shared with the responses.
  remote::aws::Signer signer_;
};

// Of a request that found nothing: "NoSuchKey" and its like.
inline constexpr unsigned kStatusNotFound = 404;

}  // namespace weft::blobstore::s3
