#include "remote/azure/testing.h"

#include <fmt/format.h>

#include <atomic>

#include "base/check.h"
#include "io/loop.h"
#include "io/test_task.h"
#include "remote/aws/sigv4.h"
#include "remote/http/service.h"

namespace weft::remote::azure {
namespace {

// The account that it has unless it is told otherwise, and its key.
constexpr const char* kAccount = "devstoreaccount1";
constexpr const char* kKey =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

constexpr const char* kProgram = "azurite-blob";

std::vector<std::string> command(std::uint16_t port) {
  std::vector<std::string> words = node_program(kProgram);
  words.insert(words.end(), {"--blobHost", "127.0.0.1", "--blobPort", std::to_string(port),
                             "--blobKeepAliveTimeout", "60", "--silent", "--disableTelemetry"});
  return words;
}

}  // namespace

bool has_server() {
  return !node_program(kProgram).empty();
}

std::vector<std::string> server_command(std::uint16_t port, const std::string& folder) {
  std::vector<std::string> words = command(port);
  words.insert(words.end(), {"--location", folder});
  return words;
}

RealServer& shared_server() {
  static RealServer server([](std::uint16_t port, const std::string&) {
    std::vector<std::string> words = command(port);
    words.emplace_back("--inMemoryPersistence");
    return words;
  });
  return server;
}

Settings settings_for(std::uint16_t port, std::string container) {
  auto settings =
      read_access({.account = kAccount,
                   .key = Secret(kKey),
                   .container = std::move(container),
                   .url = Secret(fmt::format("http://127.0.0.1:{}/{}", port, kAccount))});
  CHECK(settings.has_value());
  return *std::move(settings);
}

std::string ask(std::uint16_t port, std::string container, std::string method, std::string name,
                Fields query, std::string body) {
  Loop loop;
  auto service =
      std::make_shared<HttpService>(loop, HttpServiceOptions{.name = "the test's Azure"});
  Settings settings = settings_for(port, container);
  Signer signer(settings.account, settings.key);
  std::string path = fmt::format("{}/{}", settings.path, container);
  if (!name.empty()) path += "/" + aws::encoded_path(name);
  std::vector<Bytes> pieces;
  if (!body.empty()) pieces.push_back(to_bytes(body));
  auto headers = [&] {
    Fields fields;
    if (method == "PUT" && !name.empty()) fields.emplace_back("x-ms-blob-type", "BlockBlob");
    signer.sign({method, path, query, body.size()}, fields, std::chrono::system_clock::now());
    return fields;
  };
  Deadline deadline = Deadline::after(std::chrono::seconds(20));
  std::string url = fmt::format("http://{}{}?{}", settings.host, path, aws::canonical_query(query));
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

std::string new_container(std::uint16_t port) {
  static std::atomic<int> made = 0;
  std::string name = fmt::format("container-{}", ++made);
  ask(port, name, "PUT", "", {{"restype", "container"}});
  return name;
}

}  // namespace weft::remote::azure
