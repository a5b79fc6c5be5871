// Shows what is told of a file: for people in columns, for programs as JSON whose names stay, and
// for each import what would serve it or why nothing can.

#include "app/inspection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft {
namespace {

using ::testing::HasSubstr;

Inspection cart() {
  Inspection found{.form = "component", .kind = ProgramKind::kHttp02, .size = 1234, .digest = "ab"};
  found.producers = {{"language", "C", "17"}, {"processed-by", "weave", ""}};
  found.imports = {{"wasi:cli/environment@0.2.3", "get-arguments", "func() -> list<string>", true},
                   {"wasi:cli/environment@0.4.0", "get-arguments", "func() -> list<string>", true},
                   {"acme:cart/types", "", "", false},
                   {"wasi:logging/logging@0.9.0", "log", "func()", false},
                   {"", "ping", "func()", false}};
  found.exports = {{"wasi:http/incoming-handler@0.2.3", "handle", "func(a: own<b>)", true}};
  return found;
}

FileReport report(Result<Inspection> found) {
  CapabilityTable capabilities = embedded_capabilities({.state_folder = {}});
  return FileReport::make("cart.wasm", std::move(found), capabilities);
}

TEST(FileReport, TellsPeopleInColumns) {
  EXPECT_EQ(report(cart()).text(),
            "cart.wasm: HTTP (WASI 0.2)\n"
            "  size     1234 bytes\n"
            "  sha256   ab\n"
            "  made by  C 17, weave\n"
            "  imports\n"
            "    wasi:cli/environment@0.2.3  WASI itself\n"
            "      get-arguments: func() -> list<string>\n"
            "    wasi:cli/environment@0.4.0  ! wasi:cli/environment@0.4.0 is not offered; what is: "
            "wasi:cli@0.2.12, wasi:cli@0.3.0\n"
            "      get-arguments: func() -> list<string>\n"
            "    acme:cart/types             types only\n"
            "    wasi:logging/logging@0.9.0  ! wasi:logging/logging@0.9.0 is not offered; what is: "
            "wasi:logging/logging, wasi:logging/logging@0.1.0-draft\n"
            "      log: func()\n"
            "    (the world)                 ! functions of the world itself are not offered by "
            "anything here\n"
            "      ping: func()\n"
            "  exports\n"
            "    wasi:http/incoming-handler@0.2.3\n"
            "      handle: func(a: own<b>)\n");
  EXPECT_EQ(report(cart()).line(12),
            "cart.wasm     HTTP (WASI 0.2)           1234 bytes  ! not served: "
            "wasi:cli/environment@0.4.0, wasi:logging/logging@0.9.0, functions of the world\n");
}

TEST(FileReport, TellsProgramsByNamesThatStay) {
  Inspection found = cart();
  found.imports.resize(2);
  EXPECT_EQ(
      report(std::move(found)).json(),
      R"j({"file": "cart.wasm", "form": "component", "kind": "http", "wasi": "0.2", )j"
      R"j("size": 1234, )j"
      R"j("sha256": "ab", "producers": [{"field": "language", "name": "C", "version": "17"}, )j"
      R"j({"field": "processed-by", "name": "weave", "version": ""}], "imports": [)j"
      R"j({"interface": "wasi:cli/environment@0.2.3", "served": true, "by": "wasi", )j"
      R"j("functions": [{"name": "get-arguments", "signature": "func() -> list<string>"}]}, )j"
      R"j({"interface": "wasi:cli/environment@0.4.0", "served": false, "by": "wasi", "problem": )j"
      R"j("wasi:cli/environment@0.4.0 is not offered; what is: wasi:cli@0.2.12, wasi:cli@0.3.0", )j"
      R"j("functions": [{"name": "get-arguments", "signature": "func() -> list<string>"}]}], )j"
      R"j("exports": [{"interface": "wasi:http/incoming-handler@0.2.3", "functions": )j"
      R"j([{"name": "handle", "signature": "func(a: own<b>)"}]}]})j");
}

// A capability that there is serves what it offers, with its drivers to choose between.
TEST(FileReport, NamesCapabilitiesAndDrivers) {
  CapabilityTable capabilities = embedded_capabilities({.state_folder = {}});
  const Capability* keyvalue = capabilities.find("keyvalue");
  ASSERT_NE(keyvalue, nullptr);
  const Offer& offer = keyvalue->offers().front();
  std::vector<InspectedFunction> functions;
  for (const FunctionInfo& each : offer.functions) {
    functions.push_back(
        {std::string(offer.interface), std::string(each.name), std::string(each.signature), false});
  }
  std::vector<const InspectedFunction*> all;
  for (const InspectedFunction& each : functions) all.push_back(&each);
  Service service = find_service(offer.interface, all, capabilities);
  EXPECT_TRUE(service.served());
  EXPECT_EQ(service.by, "keyvalue");
  EXPECT_THAT(service.text(), HasSubstr("keyvalue (lmdb, memory"));
  functions.front().signature = "func()";
  service = find_service(offer.interface, all, capabilities);
  EXPECT_FALSE(service.served());
  EXPECT_THAT(service.text(), HasSubstr("with another type of"));
  // Of what a node answers no app has anything.
  service = find_service("weft:node/resources@0.1.0", all, capabilities);
  EXPECT_EQ(service.text(), "a node, to runs that may observe");
}

// What cannot be loaded or read is told in one line, whatever is in its message.
TEST(FileReport, TellsWhatIsBroken) {
  Inspection found{.form = "component", .size = 3, .digest = "ab"};
  found.problem = "it is\ndamaged";
  FileReport broken = report(std::move(found));
  EXPECT_EQ(broken.problem(), "it is damaged");
  EXPECT_EQ(broken.line(9), "cart.wasm  ! it is damaged\n");
  EXPECT_THAT(broken.json(),
              HasSubstr(R"("problem": "it is damaged", "form": "component", "size")"));
  FileReport missing = report(failure(Errc::kNotFound, "cart.wasm: no such file"));
  EXPECT_EQ(missing.problem(), "no such file");
  EXPECT_EQ(missing.json(), R"({"file": "cart.wasm", "problem": "no such file"})");
}

}  // namespace
}  // namespace weft
