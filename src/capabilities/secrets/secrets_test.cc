// Shows that a component gets the secrets it asks for and no others, as they are at that moment,
// that only `reveal` shows one, and that nothing that is written down does.
#include "capabilities/secrets/secrets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "capabilities/secrets/testing.h"
#include "wit/weft/secrets_0_1_0/reveal.h"
#include "wit/weft/secrets_0_1_0/store.h"

namespace weft::secrets {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
namespace wit = ::weft::wit::weft::secrets_0_1_0;
using wit::reveal::Value;
using wit::store::Error;

class Guest : public TestGuest {
 public:
  Guest(TestSecrets& secrets, Use use)
      : TestGuest(secrets.capability(), std::move(use)),
        store_(offer_of(secrets.capability(), wit::store::kName)),
        reveal_(offer_of(secrets.capability(), wit::reveal::kName)) {}

  std::expected<std::uint32_t, Error> get(std::string_view name) {
    Result<std::expected<std::uint32_t, Error>> got =
        call<std::expected<std::uint32_t, Error>>(store_, "get", name);
    CHECK(got.has_value());
    return *got;
  }
  Result<Value> try_reveal(std::uint32_t handle) { return call<Value>(reveal_, "reveal", handle); }
  Value reveal(std::uint32_t handle) { return *try_reveal(handle); }
  // The value of a name, right away.
  Value value(std::string_view name) { return reveal(*get(name)); }

 private:
  const Offer& store_;
  const Offer& reveal_;
};

TEST(Secrets, a_component_gets_what_it_asks_for) {
  TestSecrets secrets;
  secrets.set("payment-key", "hunter2");
  Guest guest(secrets, {.names = {"payment-key", "none"}});
  EXPECT_EQ(guest.value("payment-key"), Value::text("hunter2"));
  EXPECT_EQ(guest.get("none").error(), Error::not_found());
}

TEST(Secrets, bytes_that_are_no_text_are_bytes) {
  TestSecrets secrets;
  secrets.set("binary", "\xff\x01");
  Guest guest(secrets, {.any_name = true});
  EXPECT_EQ(guest.value("binary"), Value::bytes({0xff, 0x01}));
}

// Who asks for what it was not granted learns nothing.
TEST(Secrets, a_name_that_was_not_asked_for_is_refused_whether_or_not_it_exists) {
  TestSecrets secrets;
  secrets.set("payment-key", "hunter2");
  secrets.set("other", "hunter3");
  Guest guest(secrets, {.names = {"payment-key"}});
  EXPECT_EQ(guest.get("other").error(), Error::denied());
  EXPECT_EQ(guest.get("nothing-like-it").error(), Error::denied());
  Guest none(secrets, {});
  EXPECT_EQ(none.get("payment-key").error(), Error::denied());
}

TEST(Secrets, a_handle_keeps_its_value_and_a_new_one_has_the_new) {
  TestSecrets secrets;
  secrets.set("key", "first");
  Guest guest(secrets, {.names = {"key"}});
  std::uint32_t held = *guest.get("key");
  secrets.set("key", "second");
  EXPECT_EQ(guest.value("key"), Value::text("second"));
  secrets.remove("key");
  EXPECT_EQ(guest.get("key").error(), Error::not_found());
  EXPECT_EQ(guest.reveal(held), Value::text("first"));
}

TEST(Secrets, a_handle_that_was_dropped_reveals_nothing) {
  TestSecrets secrets;
  secrets.set("key", "hunter2");
  Guest guest(secrets, {.names = {"key"}});
  std::uint32_t handle = *guest.get("key");
  guest.resources().drop(handle);
  EXPECT_FALSE(guest.try_reveal(handle).has_value());
}

TEST(Secrets, each_name_comes_from_the_driver_that_was_chosen) {
  TestSecrets secrets;
  secrets.set("kept", "of the file");
  secrets.set("by-another-name", "of the file too");
  std::ofstream(secrets.folder() / "mounted") << "of the folder\n";
  Use use{.names = {"kept", "alias", "payment-key", "mounted", "written"}};
  use.drivers.emplace("alias", choice("file", {{"name", "by-another-name"}}));
  use.drivers.emplace("payment-key", choice("environment", {}));
  use.drivers.emplace("mounted", choice("folder", {{"path", secrets.folder().string()}}));
  use.drivers.emplace("written", choice("value", {{"value", "of the operator"}}));
  Guest guest(secrets, use);
  EXPECT_EQ(guest.value("kept"), Value::text("of the file"));
  EXPECT_EQ(guest.value("alias"), Value::text("of the file too"));
  EXPECT_EQ(guest.value("payment-key"), Value::text("of the environment"));
  EXPECT_EQ(guest.value("mounted"), Value::text("of the folder"));
  EXPECT_EQ(guest.value("written"), Value::text("of the operator"));
}

TEST(Secrets, what_cannot_be_opened_is_told_before_anything_runs) {
  TestSecrets secrets;
  Use use{.names = {"a"}};
  use.drivers.emplace("a", choice("folder", {}));
  auto ready = secrets.capability().prepare(use);
  ASSERT_FALSE(ready.has_value());
  EXPECT_EQ(ready.error().message(), "the driver \"folder\" of secrets needs path = \"...\"");
  use.drivers.at("a") = choice("folder", {{"path", "/nowhere/at/all"}});
  EXPECT_THAT(secrets.capability().prepare(use).error().message(), HasSubstr("/nowhere/at/all"));
}

// A guest is told that it failed; where the operator keeps secrets is for the log.
TEST(Secrets, a_failure_tells_the_guest_nothing_of_files_and_the_log_no_value) {
  TestSecrets secrets;
  secrets.set("key", "hunter2");
  Guest guest(secrets, {.names = {"key"}});
  EXPECT_EQ(guest.value("key"), Value::text("hunter2"));
  std::filesystem::permissions(secrets.folder() / "secrets" / "key", std::filesystem::perms(0644));
  std::ofstream(secrets.folder() / "secrets" / "secrets.sealed", std::ios::app) << "x";
  ::testing::internal::CaptureStderr();
  auto got = guest.get("key");
  guest.get("key");
  std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(got.error(), Error::other("the secret cannot be read now: the host's log says why"));
  EXPECT_THAT(log, HasSubstr("chmod 600"));
  EXPECT_THAT(log, HasSubstr("name=key app=app component=component"));
  EXPECT_THAT(log, Not(HasSubstr("hunter2")));
  // Told once, not for each call.
  EXPECT_EQ(log.find("chmod 600"), log.rfind("chmod 600"));
}

TEST(Secrets, each_reveal_is_counted_and_the_first_told_without_the_value) {
  std::string log;
  ::testing::internal::CaptureStderr();
  {
    TestSecrets secrets;
    secrets.set("key", "hunter2");
    Guest guest(secrets, {.names = {"key"}});
    std::uint32_t handle = *guest.get("key");
    for (int i = 0; i < 5; ++i) guest.reveal(handle);
  }
  log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("secrets: revealed name=key app=app component=component request=0 "
                             "times=1\n"));
  EXPECT_THAT(log, HasSubstr("secrets: revealed name=key app=app component=component times=5\n"));
  EXPECT_THAT(log, Not(HasSubstr("hunter2")));
}

TEST(Secrets, a_reveal_is_told_again_after_a_minute) {
  Loop loop;
  Context context(loop, "app", "component");
  Audit audit;
  auto start = Audit::Clock::now();
  auto told = [&](std::chrono::seconds after) {
    ::testing::internal::CaptureStderr();
    audit.revealed(context, "key", start + after);
    return ::testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(told(std::chrono::seconds(0)), HasSubstr("times=1"));
  EXPECT_EQ(told(std::chrono::seconds(59)), "");
  EXPECT_THAT(told(std::chrono::seconds(60)), HasSubstr("times=3"));
  EXPECT_EQ(told(std::chrono::seconds(61)), "");
}

TEST(Secrets, weft_itself_reads_them_by_the_same_drivers) {
  TestSecrets secrets;
  secrets.set("key", "hunter2");
  SecretLookup& lookup = secrets.capability();
  EXPECT_EQ(lookup.look_up("key", nullptr, {})->reveal(), "hunter2");
  EXPECT_EQ(lookup.look_up("none", nullptr, {}).error().code(), Errc::kNotFound);
  DriverChoice environment = choice("environment", {{"variable", "PAYMENT_KEY"}});
  EXPECT_EQ(lookup.look_up("key", &environment, {})->reveal(), "of the environment");
  // A file says where its state folder is, until somebody has said so with more right.
  TestSecrets others;
  others.set("key", "of others");
  SecretLookup::Where there{.state_folder = others.folder()};
  EXPECT_EQ(lookup.look_up("key", nullptr, there)->reveal(), "of others");
  EXPECT_EQ(lookup.state_folder(there), others.folder());
}

}  // namespace
}  // namespace weft::secrets
