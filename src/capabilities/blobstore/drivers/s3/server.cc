#include "capabilities/blobstore/drivers/s3/server.h"

#include <fmt/format.h>

#include <atomic>

#include "base/check.h"
#include "io/loop.h"
#include "io/test_task.h"

namespace weft::blobstore::s3 {

Settings settings_for(std::uint16_t port, std::string bucket) {
  Settings settings;
  settings.scheme = "http";
  settings.host = fmt::format("127.0.0.1:{}", port);
  settings.path = "/" + bucket;
  settings.bucket = std::move(bucket);
  settings.credentials = {"test:tester", Secret("testing")};
  return settings;
}

std::string ask(std::uint16_t port, std::string method, std::string path, remote::aws::Fields query,
                std::string body) {
  Loop loop;
  auto service = std::make_shared<remote::HttpService>(
      loop, remote::HttpServiceOptions{.name = "the test's S3"});
  remote::aws::Signer signer({"test:tester", Secret("testing")}, "us-east-1", "s3");
  std::string host = fmt::format("127.0.0.1:{}", port);
  std::string encoded = remote::aws::encoded_path(path);
  std::string sent = remote::aws::canonical_query(std::move(query));
  std::vector<Bytes> pieces;
  if (!body.empty()) pieces.push_back(to_bytes(body));
  auto headers = [&] {
    remote::aws::Fields fields;
    signer.sign({method, encoded, sent, host, remote::aws::kUnsignedPayload}, fields,
                std::chrono::system_clock::now());
    return fields;
  };
  Deadline deadline = Deadline::after(std::chrono::seconds(20));
  std::string url = fmt::format("http://{}{}?{}", host, encoded, sent);
  auto response = testing::run_task(
      loop,
      service->ask({.method = method, .url = url, .headers = headers, .body = pieces}, deadline));
  CHECK(response.has_value());
  auto text = testing::run_task(loop, (*response)->text(deadline));
  CHECK(text.has_value());
  if ((*response)->status() >= 300) fmt::print(stderr, "{} {}: {}\n", method, url, *text);
  CHECK((*response)->status() < 300);
  return *text;
}

std::string new_bucket(std::uint16_t port) {
  static std::atomic<int> made = 0;
  std::string name = fmt::format("bucket-{}", ++made);
  ask(port, "PUT", "/" + name);
  return name;
}

}  // namespace weft::blobstore::s3
