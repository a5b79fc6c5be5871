// Shows what a component that is started by itself can import, and that what it keeps is kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "capabilities/table.h"
#include "capabilities/test_folder.h"
#include "capabilities/testing.h"
#include "wit/wasi/keyvalue_0_2_0_draft2/store.h"

namespace weft {
namespace {

using ::testing::HasSubstr;
using wit::wasi::keyvalue_0_2_0_draft2::store::Error;
template <class T>
using Or = std::expected<T, Error>;

constexpr std::string_view kError = "variant{no-such-store, access-denied, other(string)}";
constexpr std::string_view kStore = "wasi:keyvalue/store@0.2.0-draft2";

TEST(Embedded, offers_every_name_that_components_import) {
  TestFolder folder;
  auto table = embedded_capabilities({folder.path()});
  EXPECT_THAT(
      table.offered(),
      ::testing::UnorderedElementsAre(
          "wasi:keyvalue/store@0.2.0-draft", "wasi:keyvalue/atomics@0.2.0-draft",
          "wasi:keyvalue/batch@0.2.0-draft", "wasi:keyvalue/store@0.2.0-draft2",
          "wasi:keyvalue/atomics@0.2.0-draft2", "wasi:keyvalue/batch@0.2.0-draft2",
          "wasi:blobstore/types@0.2.0-draft", "wasi:blobstore/container@0.2.0-draft",
          "wasi:blobstore/blobstore@0.2.0-draft", "wasi:config/store@0.2.0-rc.1",
          "wasi:config/store@0.2.0-draft", "wasi:config/store@0.2.0-draft-2024-09-27",
          "wasi:config/runtime@0.2.0-draft", "wasi:logging/logging",
          "wasi:logging/logging@0.1.0-draft", "weft:secrets/store@0.1.0",
          "weft:secrets/reveal@0.1.0", "wasmcloud:secrets/store@0.1.0-draft",
          "wasmcloud:secrets/reveal@0.1.0-draft", "wasmcloud:secrets/store@1.0.0",
          "wasmcloud:secrets/reveal@1.0.0", "wasmcloud:secrets/store@2.1.0",
          "wasmcloud:secrets/reveal@2.1.0", "wasmcloud:secrets/secret@2.1.0",
          "weft:lock/locks@0.1.0", "weft:lock/async-locks@0.1.0", "weft:sensor/sensors@0.1.0",
          "weft:sensor/async-sensors@0.1.0", "weft:sensor-io/readiness@0.1.0",
          "weft:sql/database@0.1.0", "wasi:sql/types@0.2.0-draft", "wasi:sql/readwrite@0.2.0-draft",
          "wasmcloud:messaging/consumer@0.2.0", "wasmcloud:messaging/consumer@0.3.0",
          "wasmcloud:messaging/types@0.3.0", "wasmcloud:messaging/producer@0.3.0",
          "wasmcloud:messaging/request-reply@0.3.0", "wasi:messaging/types@0.2.0-draft",
          "wasi:messaging/producer@0.2.0-draft", "wasi:messaging/request-reply@0.2.0-draft"));
}

TEST(Embedded, the_shape_of_a_batch_is_chosen_by_its_declared_type) {
  TestFolder folder;
  auto table = embedded_capabilities({folder.path()});
  auto match = [&](std::string_view rows) {
    std::string signature = "func(bucket: borrow<bucket>, keys: list<string>) -> result<list<" +
                            std::string(rows) + ">, " + std::string(kError) + ">";
    DeclaredFunction functions[] = {{"get-many", signature}};
    return table.match({"wasi:keyvalue/batch@0.2.0-draft2", functions});
  };
  auto shape_a = match("option<tuple<string, list<u8>>>");
  auto shape_b = match("tuple<string, option<list<u8>>>");
  ASSERT_TRUE(shape_a.has_value()) << shape_a.error().message();
  ASSERT_TRUE(shape_b.has_value()) << shape_b.error().message();
  EXPECT_NE(shape_a->offer, shape_b->offer);
  auto other = match("list<u8>");
  ASSERT_FALSE(other.has_value());
  EXPECT_THAT(other.error().message(), HasSubstr("another type of get-many"));
}

TEST(Embedded, another_version_is_answered_with_those_there_are) {
  TestFolder folder;
  auto table = embedded_capabilities({folder.path()});
  auto match = table.match({"wasi:keyvalue/store@0.2.0-draft3", {}});
  ASSERT_FALSE(match.has_value());
  EXPECT_EQ(match.error().message(),
            "wasi:keyvalue/store@0.2.0-draft3 is not offered; what is: "
            "wasi:keyvalue/store@0.2.0-draft, wasi:keyvalue/store@0.2.0-draft2");
}

TEST(Embedded, the_state_folder_is_made_for_a_component_that_needs_it) {
  TestFolder place;
  auto state = place.path() / "state";
  auto table = embedded_capabilities({state});
  auto config = table.match({"wasi:config/store@0.2.0-rc.1", {}});
  ASSERT_TRUE(config.has_value());
  ASSERT_TRUE(config->capability->prepare({.any_name = true}).has_value());
  auto store = table.match({kStore, {}});
  ASSERT_TRUE(store.has_value());
  EXPECT_FALSE(std::filesystem::exists(state));
  ASSERT_TRUE(store->capability->prepare({.any_name = true}).has_value());
  EXPECT_TRUE(std::filesystem::exists(state / "keyvalue" / "data.mdb"));
  auto second = embedded_capabilities({state});
  auto again = second.match({kStore, {}});
  ASSERT_TRUE(again.has_value());
  auto locked = again->capability->prepare({.any_name = true});
  ASSERT_FALSE(locked.has_value());
  EXPECT_EQ(locked.error().code(), Errc::kConflict);
  EXPECT_THAT(locked.error().message(), HasSubstr("in use by process"));
}

// Opens a bucket and sets a key in it; whether the driver took it.
bool set_in(TestGuest& guest, const Offer& store, std::string_view name, std::string_view value) {
  auto bucket = *guest.call<Or<std::uint32_t>>(store, "open", name);
  if (!bucket) return false;
  return guest.call<Or<void>>(store, "[method]bucket.set", *bucket, "k", as_bytes(value))
      ->has_value();
}

std::optional<Bytes> get_from(TestGuest& guest, const Offer& store, std::string_view name) {
  auto bucket = **guest.call<Or<std::uint32_t>>(store, "open", name);
  return **guest.call<Or<std::optional<Bytes>>>(store, "[method]bucket.get", bucket, "k");
}

TEST(Embedded, a_name_has_the_driver_that_the_operator_chose) {
  TestFolder folder;
  Use use{.names = {"kept", "lost"}};
  use.drivers.emplace("lost", DriverChoice{"memory", {{"size", Secret(std::string("100"))}}});
  for (bool first : {true, false}) {
    auto table = embedded_capabilities({folder.path()});
    auto match = table.match({kStore, {}});
    ASSERT_TRUE(match.has_value());
    TestGuest guest(*match->capability, use);
    if (first) {
      EXPECT_TRUE(set_in(guest, *match->offer, "kept", std::string(1000, 'x')));
      EXPECT_FALSE(set_in(guest, *match->offer, "lost", std::string(1000, 'x')));
      EXPECT_TRUE(set_in(guest, *match->offer, "lost", "x"));
      EXPECT_FALSE(set_in(guest, *match->offer, "other", "x"));
    }
    EXPECT_EQ(get_from(guest, *match->offer, "kept"), to_bytes(std::string(1000, 'x')));
    EXPECT_EQ(get_from(guest, *match->offer, "lost").has_value(), first);
  }
}

// Makes a container, and whether it is there.
bool create_container(TestGuest& guest, const Offer& blobstore, std::string_view name) {
  using Made = std::expected<std::uint32_t, std::string>;
  auto made = guest.call<Made>(blobstore, "create-container", name);
  return made.has_value() && made->has_value();
}

TEST(Embedded, containers_have_the_driver_that_the_operator_chose) {
  TestFolder folder;
  Use use{.names = {"kept", "lost", "small"}};
  use.drivers.emplace("lost", DriverChoice{"memory"});
  use.drivers.emplace("small", DriverChoice{"memory", {{"size", Secret(std::string("10"))}}});
  auto table = embedded_capabilities({folder.path()});
  auto match = table.match({"wasi:blobstore/blobstore@0.2.0-draft", {}});
  ASSERT_TRUE(match.has_value());
  TestGuest guest(*match->capability, use);
  EXPECT_TRUE(create_container(guest, *match->offer, "kept"));
  EXPECT_TRUE(create_container(guest, *match->offer, "lost"));
  EXPECT_FALSE(create_container(guest, *match->offer, "small")) << "its driver has no room for it";
  EXPECT_FALSE(create_container(guest, *match->offer, "other")) << "it was not granted";
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "blobs" / "app,kept"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "blobs" / "app,lost"));
  EXPECT_FALSE(match->capability->prepare({.drivers = {{"a", {"s3"}}}}).has_value());
  // What was answered has still to unwind.
  guest.loop().context().restart();
  while (guest.loop().context().poll() > 0) {
  }
}

TEST(Embedded, a_choice_that_changes_gets_a_backend_of_its_own) {
  TestFolder place;
  auto state = place.path() / "state";
  auto table = embedded_capabilities({state});
  auto match = table.match({kStore, {}});
  ASSERT_TRUE(match.has_value());
  auto use = [](std::string_view size) {
    Use all{.names = {"a"}};
    all.drivers.emplace("a", DriverChoice{"memory", {{"size", Secret(std::string(size))}}});
    return all;
  };
  TestGuest before(*match->capability, use("100"));
  EXPECT_TRUE(set_in(before, *match->offer, "a", "x"));
  TestGuest same(*match->capability, use("100"));
  EXPECT_TRUE(get_from(same, *match->offer, "a").has_value());
  TestGuest after(*match->capability, use("10000"));
  EXPECT_FALSE(get_from(after, *match->offer, "a").has_value());
  EXPECT_TRUE(get_from(before, *match->offer, "a").has_value());
  // Nothing is on the embedded driver, so nothing was opened for it.
  EXPECT_FALSE(std::filesystem::exists(state));
  EXPECT_FALSE(match->capability->prepare({.drivers = {{"a", {"redis"}}}}).has_value());
}

TEST(Embedded, what_was_set_is_there_after_a_restart) {
  TestFolder folder;
  for (bool first : {true, false}) {
    auto table = embedded_capabilities({folder.path()});
    auto match = table.match({kStore, {}});
    ASSERT_TRUE(match.has_value());
    TestGuest guest(*match->capability, {.any_name = true});
    const Offer& store = *match->offer;
    auto bucket = **guest.call<Or<std::uint32_t>>(store, "open", "any name");
    if (first) {
      ASSERT_TRUE(guest.call<Or<void>>(store, "[method]bucket.set", bucket, "k", as_bytes("kept"))
                      ->has_value());
    }
    auto value = **guest.call<Or<std::optional<Bytes>>>(store, "[method]bucket.get", bucket, "k");
    EXPECT_EQ(value, to_bytes("kept"));
  }
}

}  // namespace
}  // namespace weft
