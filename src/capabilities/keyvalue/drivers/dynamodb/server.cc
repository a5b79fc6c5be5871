#include "capabilities/keyvalue/drivers/dynamodb/server.h"

#include <fmt/format.h>

#include "base/check.h"
#include "io/loop.h"
#include "io/test_task.h"

namespace weft::keyvalue::dynamodb {
namespace {

constexpr const char* kProgram = "dynalite";
// It ends at requests that are broken off, which a service does not.
constexpr std::string_view kStays =
    "data:text/javascript,process.on('uncaughtException', () => {})";

}  // namespace

bool has_server() {
  return !remote::node_program(kProgram).empty();
}

std::vector<std::string> server_command(std::uint16_t port, const std::string& folder) {
  std::vector<std::string> words = remote::node_program(kProgram);
  CHECK(!words.empty());
  words.insert(words.begin() + 1, {"--import", std::string(kStays)});
  words.insert(words.end(), {"--host", "127.0.0.1", "--port", std::to_string(port), "--path",
                             folder + "/data", "--createTableMs", "0"});
  return words;
}

remote::RealServer& shared_server() {
  static remote::RealServer server(server_command);
  return server;
}

Settings settings_for(std::uint16_t port, std::string table) {
  Settings settings;
  settings.scheme = "http";
  settings.host = fmt::format("127.0.0.1:{}", port);
  settings.table = std::move(table);
  settings.credentials = {"test", Secret("testing")};
  return settings;
}

std::string ask(std::uint16_t port, const std::string& operation, const std::string& body) {
  Loop loop;
  auto service = std::make_shared<remote::HttpService>(
      loop, remote::HttpServiceOptions{.name = "the test's DynamoDB"});
  remote::aws::Signer signer({"test", Secret("testing")}, "us-east-1", "dynamodb");
  std::string host = fmt::format("127.0.0.1:{}", port);
  std::vector<Bytes> pieces{to_bytes(body)};
  auto headers = [&] {
    remote::aws::Fields fields{{"content-type", "application/x-amz-json-1.0"},
                               {"x-amz-target", "DynamoDB_20120810." + operation}};
    signer.sign({"POST", "/", "", host, remote::aws::kUnsignedPayload}, fields,
                std::chrono::system_clock::now());
    return fields;
  };
  Deadline deadline = Deadline::after(std::chrono::seconds(20));
  auto response = testing::run_task(
      loop,
      service->ask(
          {.method = "POST", .url = "http://" + host + "/", .headers = headers, .body = pieces},
          deadline));
  CHECK(response.has_value());
  auto text = testing::run_task(loop, (*response)->text(deadline));
  CHECK(text.has_value());
  if ((*response)->status() != 200) fmt::print(stderr, "{}: {}\n", operation, *text);
  CHECK((*response)->status() == 200);
  return *text;
}

void make_table(std::uint16_t port, const std::string& name) {
  ask(port, "CreateTable",
      fmt::format(R"({{"TableName":"{}","BillingMode":"PAY_PER_REQUEST",)"
                  R"("AttributeDefinitions":[{{"AttributeName":"bucket","AttributeType":"S"}},)"
                  R"({{"AttributeName":"key","AttributeType":"B"}}],)"
                  R"("KeySchema":[{{"AttributeName":"bucket","KeyType":"HASH"}},)"
                  R"({{"AttributeName":"key","KeyType":"RANGE"}}]}})",
                  name));
  // It is made behind the answer.
  Deadline limit = Deadline::after(std::chrono::seconds(20));
  std::string about = fmt::format(R"({{"TableName":"{}"}})", name);
  while (!ask(port, "DescribeTable", about).contains("\"ACTIVE\"")) CHECK(!limit.passed());
}

}  // namespace weft::keyvalue::dynamodb
