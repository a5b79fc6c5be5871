// Shows that wasmcloud:secrets serves the same secrets in its three versions, and the one that is
// called as the interface is imported.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/secrets/testing.h"
#include "wit/wasmcloud/secrets_0_1_0_draft/store.h"
#include "wit/wasmcloud/secrets_1_0_0/store.h"
#include "wit/wasmcloud/secrets_2_1_0/secret.h"
#include "wit/wasmcloud/secrets_2_1_0/store.h"

namespace weft::secrets {
namespace {

using ::testing::HasSubstr;
namespace v2 = ::weft::wit::wasmcloud::secrets_2_1_0;

// Of a version: all have the same functions.
template <class Store>
class Wasmcloud : public ::testing::Test {};

struct Draft {
  using Error = wit::wasmcloud::secrets_0_1_0_draft::store::SecretsError;
  using Value = wit::wasmcloud::secrets_0_1_0_draft::store::SecretValue;
  static constexpr std::string_view kVersion = "0.1.0-draft";
};
struct V1 {
  using Error = wit::wasmcloud::secrets_1_0_0::store::SecretsError;
  using Value = wit::wasmcloud::secrets_1_0_0::store::SecretValue;
  static constexpr std::string_view kVersion = "1.0.0";
};
struct V2 {
  using Error = v2::store::SecretsError;
  using Value = v2::store::SecretValue;
  static constexpr std::string_view kVersion = "2.1.0";
};
using Versions = ::testing::Types<Draft, V1, V2>;
TYPED_TEST_SUITE(Wasmcloud, Versions);

TYPED_TEST(Wasmcloud, gives_and_reveals_what_a_component_asks_for) {
  using Error = typename TypeParam::Error;
  using Value = typename TypeParam::Value;
  using Got = std::expected<std::uint32_t, Error>;
  TestSecrets secrets;
  secrets.set("key", "hunter2");
  secrets.set("binary", "\xff");
  secrets.set("other", "hunter3");
  TestGuest guest(secrets.capability(), {.names = {"key", "binary", "none"}});
  auto offer = [&](std::string_view interface) -> const Offer& {
    return offer_of(secrets.capability(), "wasmcloud:secrets/" + std::string(interface) + "@" +
                                              std::string(TypeParam::kVersion));
  };
  auto get = [&](std::string_view name) {
    return *guest.template call<Got>(offer("store"), "get", name);
  };
  auto reveal = [&](std::uint32_t handle) {
    return *guest.template call<Value>(offer("reveal"), "reveal", handle);
  };
  EXPECT_EQ(reveal(*get("key")), Value::string("hunter2"));
  EXPECT_EQ(reveal(*get("binary")), Value::bytes({0xff}));
  EXPECT_EQ(get("none").error(), Error::not_found());
  EXPECT_EQ(get("other").error(), Error::not_found());
  std::filesystem::remove(secrets.folder() / "secrets" / "key");
  std::filesystem::last_write_time(secrets.folder() / "secrets" / "secrets.sealed",
                                   std::filesystem::file_time_type::clock::now());
  EXPECT_EQ(get("key").error(),
            Error::io("the secret cannot be read now: the host's log says why"));
}

TEST(WasmcloudSecret, is_the_one_of_the_name_that_it_is_imported_under) {
  TestSecrets secrets;
  secrets.set("api-key", "hunter2");
  TestGuest guest(secrets.capability(), {.names = {"api-key"}});
  guest.import_as("api-key");
  const Offer& offer = offer_of(secrets.capability(), v2::secret::kName);
  auto handle = guest.call<std::uint32_t>(offer, "get");
  ASSERT_TRUE(handle.has_value()) << handle.error().message();
  const Offer& reveal = offer_of(secrets.capability(), "wasmcloud:secrets/reveal@2.1.0");
  EXPECT_EQ(*guest.call<v2::store::SecretValue>(reveal, "reveal", *handle),
            v2::store::SecretValue::string("hunter2"));
}

TEST(WasmcloudSecret, one_that_is_not_granted_or_not_there_fails_the_call) {
  TestSecrets secrets;
  secrets.set("other", "hunter2");
  TestGuest refused(secrets.capability(), {.names = {"api-key"}});
  refused.import_as("other");
  const Offer& offer = offer_of(secrets.capability(), v2::secret::kName);
  auto denied = refused.call<std::uint32_t>(offer, "get");
  EXPECT_EQ(denied.error().code(), Errc::kDenied);
  EXPECT_THAT(denied.error().message(), HasSubstr("uses.secrets"));
  TestGuest guest(secrets.capability(), {.names = {"api-key"}});
  guest.import_as("api-key");
  auto none = guest.call<std::uint32_t>(offer, "get");
  EXPECT_EQ(none.error().message(), "api-key: there is no such secret");
}

}  // namespace
}  // namespace weft::secrets
