// Shows what an operator's file says, how secrets and variables come into it, and that they come
// out in no message.
#include "app/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "capabilities/test_folder.h"

namespace weft {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class EnvironmentTest : public ::testing::Test {
 protected:
  std::optional<Environment> parse(std::string_view text, const std::string& file = "prod.toml") {
    return Environment::parse(
        text, file, capabilities_,
        [](std::string_view name) -> std::optional<std::string> {
          if (name == "PASSWORD") return "hunter2";
          if (name == "SIZE") return "1MiB";
          return std::nullopt;
        },
        problems_);
  }

  CapabilityTable capabilities_ = embedded_capabilities({.state_folder = "/nowhere"});
  Problems problems_;
};

TEST_F(EnvironmentTest, says_what_is_in_the_file) {
  auto environment = parse(R"(
[http]
listen = ["0.0.0.0:8080", "[::1]:8443"]
limits = { head-bytes = "16KiB", idle-timeout = "5s", connections = 10 }
[log]
access = "access.log"
level = "warn"
[state]
folder = "/var/lib/weft"
[keyvalue.carts]
driver = "memory"
size = "${env:SIZE}"
[keyvalue.prices]
driver = "lmdb"
[secrets]
payment-key = { env = "PASSWORD" }
[env]
REGION = "eu"
[config.shop.cart]
currency = "USD"
key = { secret = "payment-key" }
url = "https://user:${env:PASSWORD}@host/$${x}"
[limits.shop.cart]
memory = "128MiB"
[folder.assets]
path = "static"
writable = true
[network]
allow-http = ["http://127.0.0.1:*"]
)",
                           "/etc/weft/prod.toml");
  ASSERT_TRUE(environment && !problems_.failed()) << problems_.text();
  ASSERT_EQ(environment->http.listen.size(), 2u);
  EXPECT_EQ(environment->http.listen[1].first, (ListenAddress{"::1", 8443}));
  EXPECT_EQ(environment->http.limits.head_bytes_max, 16u << 10);
  EXPECT_EQ(environment->http.limits.idle_timeout, std::chrono::seconds(5));
  EXPECT_EQ(environment->http.limits.connections_max, 10u);
  EXPECT_EQ(environment->access_log, "/etc/weft/access.log");
  EXPECT_EQ(environment->log_level, LogLevel::kWarn);
  EXPECT_EQ(environment->state_folder, "/var/lib/weft");
  const DriverSettings* carts = environment->driver("keyvalue", "carts");
  ASSERT_NE(carts, nullptr);
  EXPECT_EQ(carts->choice.driver, "memory");
  EXPECT_EQ(carts->choice.find("size")->reveal(), "1048576");
  EXPECT_EQ(environment->driver("keyvalue", "prices")->choice.driver, "lmdb");
  EXPECT_EQ(environment->driver("keyvalue", "others"), nullptr);
  EXPECT_EQ(environment->secrets.read("payment-key")->reveal(), "hunter2");
  EXPECT_EQ(environment->variables.at("REGION").reveal(), "eu");
  ASSERT_EQ(environment->values.size(), 1u);
  const OperatorValues& config = environment->values[0];
  EXPECT_EQ(config.capability, "config");
  EXPECT_EQ(config.app.text, "shop");
  EXPECT_EQ(config.values[1].second.reveal(), "hunter2");
  EXPECT_EQ(config.values[2].second.reveal(), "https://user:hunter2@host/${x}");
  EXPECT_EQ(environment->limits[0].limits.memory_bytes, std::uint64_t{128} << 20);
  EXPECT_EQ(environment->folders.at("assets").path.text, "/etc/weft/static");
  EXPECT_TRUE(environment->folders.at("assets").writable);
  EXPECT_EQ(environment->allow_http[0].text, "http://127.0.0.1:*");
}

TEST_F(EnvironmentTest, what_was_put_in_comes_out_in_no_message) {
  parse(R"(
[http]
listen = "${env:PASSWORD}"
limits = { head-bytes = "${env:PASSWORD}", idle-timeout = { secret = "key" } }
[secrets]
key = { env = "PASSWORD" }
literal = "hunter2"
[log]
level = { secret = "literal" }
[keyvalue.a]
driver = "${env:PASSWORD}"
[keyvalue.b]
driver = "memory"
size = { secret = "key" }
[limits.shop.cart]
cpu = { env = "PASSWORD" }
)");
  EXPECT_EQ(problems_.errors(), 7u) << problems_.text();
  EXPECT_THAT(problems_.text(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(problems_.json(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(problems_.text(), HasSubstr("http.listen is \"${env:PASSWORD}\""));
  EXPECT_THAT(problems_.text(), HasSubstr("keyvalue.b.size is \"{ secret = key }\""));
}

TEST_F(EnvironmentTest, what_nobody_gives_is_told) {
  parse(R"([secrets]
payment-key = "x"
other = { env = "NOT_SET" }
[config.shop.cart]
a = "${env:NOT_SET}"
b = { secret = "paymentkey" }
c = "${NOT_SET}"
d = "${env:"
[keyvalue.carts]
driver = "lmdbx"
[keyvalue.prices]
driver = "memory"
sise = 5
[keyvalue.none]
)");
  EXPECT_EQ(
      problems_.text(),
      "prod.toml:3:17: the environment variable NOT_SET is not set: set it where weft is started, "
      "or write the value here\n"
      "prod.toml:5:5: the environment variable NOT_SET is not set: set it where weft is started, "
      "or write the value here\n"
      "prod.toml:6:16: there is no secret \"paymentkey\" in [secrets]: did you mean payment-key?\n"
      "prod.toml:7:5: \"${NOT_SET}\" has a ${ that is no ${env:NAME}: write ${env:NAME}, or $${ "
      "for the two characters themselves\n"
      "prod.toml:8:5: \"${env:\" has a ${ that is no ${env:NAME}: write ${env:NAME}, or $${ for "
      "the two characters themselves\n"
      "prod.toml:10:10: there is no driver \"lmdbx\" for keyvalue: did you mean lmdb?\n"
      "prod.toml:13:1: unknown key \"sise\" in [keyvalue.prices]: did you mean size?\n"
      "prod.toml:14:1: [keyvalue.none] has no driver: write driver = \"lmdb\"\n");
}

// Shows that no time-out of the wire can be turned off: every client would be late, or none ever.
TEST_F(EnvironmentTest, a_wait_on_the_wire_is_neither_nothing_nor_endless) {
  auto environment = parse(R"([http.limits]
head-timeout = "0s"
idle-timeout = "99ms"
body-timeout = "999999999999h"
tls-timeout = "100ms"
headers = 200
trailer-bytes = 64
)");
  EXPECT_EQ(
      problems_.text(),
      "prod.toml:2:16: http.limits.head-timeout is \"0s\": write at least 100ms\n"
      "prod.toml:3:16: http.limits.idle-timeout is \"99ms\": write at least 100ms\n"
      "prod.toml:4:16: http.limits.body-timeout is \"999999999999h\": write at most a year\n");
  EXPECT_EQ(environment->http.limits.tls_timeout, std::chrono::milliseconds(100));
  EXPECT_EQ(environment->http.limits.headers_max, 200u);
  EXPECT_EQ(environment->http.limits.trailer_bytes_max, 64u);
}

// Each short form is a driver, a table may name another secret, and what is wrong is told once.
TEST_F(EnvironmentTest, secrets_come_from_drivers) {
  auto environment = parse(R"(
[secrets]
short = { env = "PASSWORD" }
written = "x${env:SIZE}"
[secrets.password]
driver = "environment"
[secrets.chained]
driver = "value"
value = { secret = "short" }
[keyvalue.a]
driver = "memory"
size = { secret = "written-down" }
)");
  ASSERT_TRUE(environment.has_value());
  EXPECT_EQ(problems_.text(),
            "prod.toml:12:8: keyvalue.a.size is \"{ secret = written-down }\": write a size, like "
            "\"64MiB\"\n"
            "prod.toml:12:19: there is no secret \"written-down\" in [secrets]: write written-down "
            "= ... there, or: weft secret set written-down --state /nowhere\n");
  EXPECT_EQ(environment->secrets.read("short")->reveal(), "hunter2");
  EXPECT_EQ(environment->secrets.read("written")->reveal(), "x1MiB");
  EXPECT_EQ(environment->secrets.read("password")->reveal(), "hunter2");
  EXPECT_EQ(environment->secrets.read("chained")->reveal(), "hunter2");
  // No process sees what they come from.
  EXPECT_THAT(environment->secret_variables,
              ::testing::IsSupersetOf({"PASSWORD", "SIZE", "PASSWORD"}));
  const DriverSettings* driver = environment->driver("secrets", "short");
  ASSERT_NE(driver, nullptr);
  EXPECT_EQ(driver->choice.driver, "environment");
}

TEST_F(EnvironmentTest, a_driver_of_secrets_that_is_none_is_told) {
  parse(R"([secrets.a]
driver = "vaullt"
[secrets.b]
name = "x"
[secrets.c]
driver = "folder"
pathh = "x"
[secrets]
d = 7
)");
  EXPECT_EQ(
      problems_.text(),
      "prod.toml:2:10: there is no driver \"vaullt\" for secrets: did you mean vault?\n"
      "prod.toml:3:1: [secrets.b] has no driver: write driver = \"file\"\n"
      "prod.toml:7:1: unknown key \"pathh\" in [secrets.c]: did you mean path?\n"
      "prod.toml:9:5: secrets.d is a whole number: write a string, { env = \"NAME\" }, { file "
      "= \"PATH\" } or { driver = \"...\" }\n");
}

TEST_F(EnvironmentTest, values_may_come_from_a_driver) {
  TestFolder folder;
  std::ofstream(folder.path() / "values.toml") << "currency = \"EUR\"\n";
  auto environment = parse(R"([config.shop.cart]
region = "eu"
currency = { driver = "file", path = "values.toml" }
[config.shop.cart."*"]
driver = "file"
path = "none.json"
)",
                           (folder.path() / "prod.toml").string());
  ASSERT_TRUE(environment.has_value());
  EXPECT_EQ(problems_.errors(), 1u) << problems_.text();
  EXPECT_THAT(problems_.text(), HasSubstr("prod.toml:4:19: "));
  EXPECT_THAT(problems_.text(), HasSubstr("none.json: it cannot be read"));
  const DriverSettings* driver = environment->driver("config", "shop.cart.currency");
  ASSERT_NE(driver, nullptr);
  EXPECT_EQ(driver->choice.find("path")->reveal(), (folder.path() / "values.toml").string());
  ASSERT_EQ(environment->values.size(), 1u);
  EXPECT_EQ(environment->values[0].values.size(), 1u);
}

TEST_F(EnvironmentTest, a_secret_may_lie_in_a_file_beside_it) {
  TestFolder folder;
  std::ofstream(folder.path() / "key") << "hunter2\n";
  auto environment = parse("[secrets]\na = { file = \"key\" }\nb = { file = \"none\" }\n",
                           (folder.path() / "prod.toml").string());
  ASSERT_TRUE(environment.has_value());
  EXPECT_EQ(environment->secrets.read("a")->reveal(), "hunter2");
  EXPECT_EQ(problems_.errors(), 1u);
  EXPECT_THAT(problems_.text(),
              HasSubstr("prod.toml:3:5: the secret \"b\" cannot be read: there is no file"));
}

TEST_F(EnvironmentTest, says_what_a_driver_cannot_be_made_with) {
  parse(R"(
[keyvalue.carts]
driver = "redis"
url = "http://user:hunter2@cache"
[keyvalue.prices]
driver = "redis"
url = "redis://cache"
timeout = "5"
)");
  EXPECT_THAT(problems_.text(),
              HasSubstr("prod.toml:4:7: keyvalue.carts.url cannot be used: the URL begins with "
                        "http://: write redis://"));
  EXPECT_THAT(problems_.text(), HasSubstr("prod.toml:8:"));
  EXPECT_THAT(problems_.text(), Not(HasSubstr("hunter2")));
  EXPECT_EQ(problems_.errors(), 2U);
}

TEST_F(EnvironmentTest, says_which_key_of_which_table_is_wrong) {
  parse(R"([messaging.""]
driver = "memory"
size = "0"
[messaging.small]
driver = "memory"
size = "1KiB"
[messaging.meter]
driver = "mqtt"
url = "amqp://host"
[messaging.other]
driver = "mqtt"
url = "mqtt://me:hunter2@host"
password = { secret = "word" }
[messaging.prefixed]
driver = "mqtt"
url = "mqtt://host"
prefix = "a b"
[lock."orders/7"]
driver = "memory"
[messaging.secure]
driver = "mqtt"
url = "mqtts://host"
ca-file = "/no/such.pem"
[secrets]
word = "hunter2"
)");
  EXPECT_THAT(problems_.text(), HasSubstr("prod.toml:3:8: messaging.\"\".size is \"0\": "));
  EXPECT_THAT(problems_.text(),
              HasSubstr("prod.toml:6:8: messaging.small.size cannot be used: write 2MiB at least"));
  EXPECT_THAT(problems_.text(),
              HasSubstr("prod.toml:9:7: messaging.meter.url cannot be used: the URL begins with "
                        "amqp://, as one for the driver \"rabbitmq\" does: write mqtt://"));
  EXPECT_THAT(problems_.text(), HasSubstr("prod.toml:13:12: messaging.other.password stands beside "
                                          "a url that has a password too: leave one of them out"));
  EXPECT_THAT(problems_.text(),
              HasSubstr("prod.toml:17:10: messaging.prefixed.prefix cannot be used: write parts"));
  EXPECT_THAT(problems_.text(), HasSubstr("prod.toml:18:7: \"orders/7\" is no space of locks"));
  EXPECT_THAT(problems_.text(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(problems_.text(), HasSubstr("prod.toml:23:11: messaging.secure.ca-file cannot be "
                                          "used: /no/such.pem: No such file"));
  EXPECT_EQ(problems_.errors(), 7U) << problems_.text();
}

TEST_F(EnvironmentTest, settings_of_a_driver_stand_in_a_table_with_a_name) {
  parse("[messaging]\ndriver = \"mqtt\"\nurl = \"mqtt://host\"\n[keyvalue]\ncarts = \"redis\"\n");
  EXPECT_EQ(problems_.text(),
            "prod.toml:2:1: driver stands in [messaging], which has a table for each name: write "
            "[messaging.NAME] above it, or [messaging.\"\"] for the default broker\n"
            "prod.toml:5:1: keyvalue.carts is \"redis\": write a table: [keyvalue.carts] and in it "
            "driver = \"...\"\n");
}

TEST_F(EnvironmentTest, an_address_has_one_listener) {
  parse("[http]\nlisten = [\"0.0.0.0:9000\", \"127.0.0.1:9000\"]\n[admin]\nlisten = \"9000\"\n");
  EXPECT_EQ(problems_.text(),
            "prod.toml:2:27: http.listen has 127.0.0.1:9000 twice: take one of them out\n"
            "prod.toml:4:10: admin.listen is 127.0.0.1:9000, where HTTP is served too (at "
            "prod.toml:2:11): write another port\n");
  problems_ = {};
  // What HTTP has where nobody says anything: the command line may.
  parse("[admin]\nlisten = \"127.0.0.1:8080\"\n");
  EXPECT_EQ(problems_.summary(), "0 errors, 1 warning");
  problems_ = {};
  parse("[http]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n");
  EXPECT_EQ(problems_.summary(), "0 errors, 0 warnings");
}

}  // namespace
}  // namespace weft
