// Shows what the driver asks of a Vault, a small fake of one, and what it makes of each answer.
#include "capabilities/secrets/drivers/vault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "capabilities/secrets/fake_vault.h"
#include "capabilities/test_folder.h"

namespace weft::secrets {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class VaultTest : public ::testing::Test {
 protected:
  VaultSettings settings() {
    return {.address = vault_.address(), .token = Secret(std::string(FakeVault::kToken))};
  }
  Result<Secret> read(VaultSettings settings, std::string_view name = "payment-key") {
    TRY(auto source, vault_source(std::move(settings)));
    TRY_VOID(source->open());
    return wait_for(loop_, *source, name, Deadline::after(std::chrono::seconds(30)));
  }
  // What went wrong.
  Error problem(VaultSettings settings) {
    auto value = read(std::move(settings));
    return value ? Error(Errc::kInternal, "it was read") : value.error();
  }

  FakeVault vault_;
  Loop loop_;
};

TEST_F(VaultTest, the_name_is_the_path_and_value_the_key) {
  vault_.set("payment-key", "value", "hunter2");
  EXPECT_EQ(read(settings())->reveal(), "hunter2");
  EXPECT_THAT(vault_.asked(), ElementsAre("/v1/secret/data/payment-key"));
}

TEST_F(VaultTest, path_key_and_namespace_are_the_operators) {
  vault_.set("shop/production%20two", "card", "hunter2");
  VaultSettings given = settings();
  given.path = "shop/production two";
  given.key = "card";
  given.name_space = "team-a";
  given.address += "/";
  EXPECT_EQ(read(given)->reveal(), "hunter2");
  EXPECT_THAT(vault_.asked(), ElementsAre("/v1/secret/data/shop/production%20twoteam-a"));
}

TEST_F(VaultTest, the_token_of_a_file_is_read_for_each_request) {
  TestFolder folder;
  vault_.set("payment-key", "value", "hunter2");
  VaultSettings given = settings();
  given.token = {};
  given.token_file = folder.path() / "token";
  auto source = vault_source(given);
  ASSERT_TRUE(source.has_value());
  auto why = [&] {
    auto value =
        wait_for(loop_, **source, "payment-key", Deadline::after(std::chrono::seconds(30)));
    return value ? "it was read" : value.error().message();
  };
  EXPECT_THAT(why(), HasSubstr("token: it cannot be read"));
  std::ofstream(given.token_file) << "old-token\n";
  EXPECT_THAT(why(), HasSubstr("Vault refuses"));
  std::ofstream(given.token_file) << FakeVault::kToken << "\n";
  EXPECT_EQ(why(), "it was read");
}

TEST_F(VaultTest, what_is_not_there_is_not_found) {
  EXPECT_EQ(problem(settings()).code(), Errc::kNotFound);
  vault_.set("payment-key", "other", "hunter2");
  Error no_key = problem(settings());
  EXPECT_EQ(no_key.code(), Errc::kNotFound);
  EXPECT_THAT(no_key.message(), HasSubstr("has no key value"));
  EXPECT_THAT(no_key.message(), Not(HasSubstr("hunter2")));
}

TEST_F(VaultTest, what_vault_refuses_or_cannot_do_is_told_apart) {
  vault_.set("payment-key", "value", "hunter2");
  VaultSettings wrong = settings();
  wrong.token = Secret(std::string("hvs.wrong-token"));
  Error denied = problem(wrong);
  EXPECT_EQ(denied.code(), Errc::kDenied);
  EXPECT_THAT(denied.message(), Not(HasSubstr("wrong-token")));
  for (auto [status, code] :
       {std::pair(503, Errc::kUnavailable), std::pair(500, Errc::kUnavailable),
        std::pair(429, Errc::kUnavailable), std::pair(400, Errc::kIo), std::pair(302, Errc::kIo)}) {
    vault_.answer_with(status);
    Error error = problem(settings());
    EXPECT_EQ(error.code(), code) << status;
    EXPECT_THAT(error.message(), Not(HasSubstr("hunter2")));
  }
}

TEST_F(VaultTest, answers_of_another_shape_are_refused) {
  for (const char* data : {"null", "[]", "1", "{\"value\": 7}", "{\"value\": null}"}) {
    vault_.set_data("payment-key", data);
    Error error = problem(settings());
    EXPECT_THAT(error.code(), ::testing::AnyOf(Errc::kCorrupt, Errc::kInvalid)) << data;
  }
  vault_.set_data("payment-key", "{\"value\": \"" + std::string(2 << 20, 'a') + "\"}");
  EXPECT_EQ(problem(settings()).code(), Errc::kLimit);
  vault_.set("payment-key", "value", std::string(kValueBytesMax + 1, 'a'));
  EXPECT_EQ(problem(settings()).code(), Errc::kLimit);
}

TEST_F(VaultTest, silence_ends_in_time_and_a_closed_port_at_once) {
  VaultSettings hasty = settings();
  hasty.timeout = std::chrono::milliseconds(50);
  vault_.answer_with(FakeVault::kSilent);
  EXPECT_EQ(problem(hasty).code(), Errc::kTimeout);
  VaultSettings elsewhere = settings();
  elsewhere.address = "http://127.0.0.1:1";
  EXPECT_EQ(problem(elsewhere).code(), Errc::kUnavailable);
}

TEST_F(VaultTest, a_caller_that_does_not_wait_takes_its_request_along) {
  vault_.answer_with(FakeVault::kSilent);
  auto source = vault_source(settings());
  ASSERT_TRUE(source.has_value());
  auto value =
      wait_for(loop_, **source, "payment-key", Deadline::after(std::chrono::milliseconds(1)));
  EXPECT_EQ(value.error().code(), Errc::kTimeout);
}

TEST_F(VaultTest, settings_that_cannot_work_are_told) {
  auto why = [](VaultSettings settings) {
    auto source = vault_source(std::move(settings));
    return source ? std::string("fine") : source.error().message();
  };
  Secret token(std::string("t"));
  EXPECT_EQ(why({.address = "https://vault:8200", .token = token}), "fine");
  EXPECT_THAT(why({.address = "vault:8200", .token = token}), HasSubstr("address = \"https://"));
  EXPECT_THAT(why({.address = "https://vault"}), HasSubstr("one of token"));
  EXPECT_THAT(why({.address = "https://vault", .token = token, .token_file = "f"}),
              HasSubstr("one of token"));
  EXPECT_THAT(why({.address = "https://vault", .token = Secret(std::string("a\nb: c"))}),
              HasSubstr("is no token"));
}

}  // namespace
}  // namespace weft::secrets
