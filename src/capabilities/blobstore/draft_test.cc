// Shows what a guest of wasi:blobstore@0.2.0-draft sees, on each embedded driver: calls the
// providers with bytes, as the engine does, and is the other end of its streams.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/blobstore/blobstore.h"
#include "capabilities/blobstore/bodies.h"
#include "capabilities/test_folder.h"
#include "capabilities/testing.h"
#include "io/test_task.h"
#include "wit/wasi/blobstore_0_2_0_draft/types.h"

namespace weft::blobstore {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using wit::wasi::blobstore_0_2_0_draft::types::ContainerMetadata;
using wit::wasi::blobstore_0_2_0_draft::types::ObjectId;
using wit::wasi::blobstore_0_2_0_draft::types::ObjectMetadata;

template <class T>
using Or = std::expected<T, std::string>;
using Handle = std::uint32_t;

class Draft : public ::testing::TestWithParam<const char*> {
 protected:
  Draft() : guest_(*capability_, {.names = {"mine", "other"}}) {}
  // The guest has the loop that the last answers are posted to, and where calls that were answered
  // still unwind.
  ~Draft() override {
    capability_.reset();
    guest_.loop().context().restart();
    while (guest_.loop().context().poll() > 0) {
    }
  }

  std::unique_ptr<Backend> make_backend() {
    return GetParam() == std::string_view("files") ? files_backend(state_) : memory_backend();
  }
  template <class R, class... Arguments>
  Or<R> call(std::string_view interface, std::string_view function, const Arguments&... arguments) {
    std::string name = "wasi:blobstore/" + std::string(interface) + "@0.2.0-draft";
    auto outcome = guest_.call<Or<R>>(offer_of(*capability_, name), function, arguments...);
    if (!outcome) return std::unexpected("(call failed) " + outcome.error().message());
    return *std::move(outcome);
  }
  // A number that a function returns as it is.
  template <class R, class... Arguments>
  R plain(std::string_view function, const Arguments&... arguments) {
    auto outcome = guest_.call<R>(offer_of(*capability_, "wasi:blobstore/types@0.2.0-draft"),
                                  function, arguments...);
    CHECK(outcome.has_value());
    return *std::move(outcome);
  }

  Handle create(std::string_view name = "mine") {
    auto made = call<Handle>("blobstore", "create-container", name);
    EXPECT_TRUE(made.has_value()) << made.error();
    return *made;
  }
  Handle new_value() { return plain<Handle>("[static]outgoing-value.new-outgoing-value"); }
  Or<void> finish(Handle value) {
    return call<void>("types", "[static]outgoing-value.finish", value);
  }
  Or<void> bind(Handle container, std::string_view name, Handle value) {
    return call<void>("container", "[method]container.write-data", container, name, value);
  }
  // The stream of a value: the number it crosses as, taken up as the engine does. Nothing where it
  // was refused.
  std::optional<ByteWriter> body_of(Handle value) {
    auto number = plain<std::expected<std::uint32_t, Nothing>>(
        "[method]outgoing-value.outgoing-value-write-body", value);
    if (!number) return std::nullopt;
    auto end = guest_.resources().pipes()->take_writer(*number, PipeKind::kBytes);
    CHECK(end.has_value());
    return ByteWriter(*std::move(end));
  }
  template <class T>
  Result<T> wait(Task<T> task) {
    return testing::run_task(guest_.loop(), std::move(task));
  }
  Result<void> write(ByteWriter& body, std::string_view text) {
    return wait(body.write(to_bytes(text), Deadline::after(std::chrono::seconds(20))));
  }
  void put(Handle container, std::string_view name, std::string_view text) {
    Handle value = new_value();
    ASSERT_TRUE(bind(container, name, value).has_value());
    auto body = body_of(value);
    ASSERT_TRUE(write(*body, text).has_value());
    body->finish();
    auto finished = finish(value);
    ASSERT_TRUE(finished.has_value()) << finished.error();
  }
  Or<Handle> get_data(Handle container, std::string_view name, std::uint64_t start = 0,
                      std::uint64_t end = UINT64_MAX) {
    return call<Handle>("container", "[method]container.get-data", container, name, start, end);
  }
  std::string get(Handle container, std::string_view name, std::uint64_t start = 0,
                  std::uint64_t end = UINT64_MAX) {
    auto value = get_data(container, name, start, end);
    if (!value) return "(error) " + value.error();
    auto bytes = call<Bytes>("types", "[static]incoming-value.incoming-value-consume-sync", *value);
    return bytes ? std::string(as_text(*bytes)) : "(error) " + bytes.error();
  }
  Or<ByteReader> stream_of(Handle value) {
    auto number =
        call<std::uint32_t>("types", "[static]incoming-value.incoming-value-consume-async", value);
    if (!number) return std::unexpected(number.error());
    auto end = guest_.resources().pipes()->take_reader(*number, PipeKind::kBytes);
    CHECK(end.has_value());
    return ByteReader(*std::move(end));
  }
  Result<Bytes> read_all(ByteReader& body) {
    return wait(body.read_all(std::size_t{1} << 30, Deadline::after(std::chrono::seconds(20))));
  }
  bool has(Handle container, std::string_view name) {
    return call<bool>("container", "[method]container.has-object", container, name).value();
  }

  TestFolder folder_;
  StateFolderOnDemand state_{folder_.path()};
  std::unique_ptr<BlobstoreCapability> capability_ =
      std::make_unique<BlobstoreCapability>(make_backend());
  TestGuest guest_;
};

TEST_P(Draft, what_is_written_and_finished_is_there) {
  Handle c = create();
  put(c, "o", "hello");
  EXPECT_EQ(get(c, "o"), "hello");
  EXPECT_EQ(get(c, "o", 1, 3), "ell");
  EXPECT_EQ(get(c, "o", 4, 99), "o");
  EXPECT_EQ(get(c, "o", 5, 99), "");
  EXPECT_TRUE(has(c, "o"));
  EXPECT_FALSE(has(c, "absent"));
  EXPECT_THAT(get(c, "absent"), HasSubstr("no object \"absent\" in the container \"mine\""));
  auto value = get_data(c, "o", 1, 3);
  EXPECT_EQ(plain<std::uint64_t>("[method]incoming-value.size", *value), 3u);
}

TEST_P(Draft, a_value_may_be_written_before_it_is_bound) {
  Handle c = create();
  Handle value = new_value();
  auto body = body_of(value);
  std::string text;
  for (int i = 0; i < 300'000; ++i) text.push_back(static_cast<char>(i * 7 + i / 1000));
  // More than a pipe holds, so that somebody has to take it.
  ASSERT_TRUE(write(*body, text).has_value());
  EXPECT_FALSE(has(c, "o"));
  ASSERT_TRUE(bind(c, "o", value).has_value());
  ASSERT_TRUE(write(*body, "and more").has_value());
  body->finish();
  EXPECT_FALSE(has(c, "o")) << "it is not finished";
  auto finished = finish(value);
  ASSERT_TRUE(finished.has_value()) << finished.error();
  EXPECT_TRUE(get(c, "o") == text + "and more");
}

TEST_P(Draft, a_value_without_a_stream_is_an_empty_object) {
  Handle c = create();
  Handle value = new_value();
  ASSERT_TRUE(bind(c, "o", value).has_value());
  ASSERT_TRUE(finish(value).has_value());
  EXPECT_EQ(get(c, "o"), "");
  EXPECT_TRUE(has(c, "o"));
}

TEST_P(Draft, a_value_that_is_not_finished_makes_no_object) {
  Handle c = create();
  put(c, "old", "old");
  for (std::string_view name : {"old", "new"}) {
    Handle value = new_value();
    ASSERT_TRUE(bind(c, name, value).has_value());
    auto body = body_of(value);
    ASSERT_TRUE(write(*body, "half").has_value());
    guest_.resources().drop(value);
    EXPECT_FALSE(write(*body, "more").has_value()) << "nobody takes it any more";
  }
  EXPECT_EQ(get(c, "old"), "old");
  EXPECT_FALSE(has(c, "new"));
}

TEST_P(Draft, a_stream_that_failed_makes_no_object) {
  Handle c = create();
  Handle value = new_value();
  ASSERT_TRUE(bind(c, "o", value).has_value());
  auto body = body_of(value);
  ASSERT_TRUE(write(*body, "half").has_value());
  body->fail(Error(Errc::kIo, "the guest was cut off"));
  auto finished = finish(value);
  ASSERT_FALSE(finished.has_value());
  EXPECT_THAT(finished.error(), HasSubstr("cut off"));
  EXPECT_FALSE(has(c, "o"));
}

TEST_P(Draft, finish_refuses_what_is_still_open_or_was_never_bound) {
  Handle c = create();
  Handle open = new_value();
  ASSERT_TRUE(bind(c, "o", open).has_value());
  auto body = body_of(open);
  ASSERT_TRUE(write(*body, "half").has_value());
  auto finished = finish(open);
  ASSERT_FALSE(finished.has_value());
  EXPECT_THAT(finished.error(), HasSubstr("drop that before finish"));
  EXPECT_FALSE(has(c, "o"));
  finished = finish(new_value());
  ASSERT_FALSE(finished.has_value());
  EXPECT_THAT(finished.error(), HasSubstr("write-data"));
}

TEST_P(Draft, a_value_is_bound_once_and_its_stream_taken_once) {
  Handle c = create();
  Handle value = new_value();
  ASSERT_FALSE(bind(c, "", value).has_value()) << "a name that is refused binds nothing";
  ASSERT_TRUE(bind(c, "first", value).has_value());
  auto again = bind(c, "second", value);
  ASSERT_FALSE(again.has_value());
  EXPECT_THAT(again.error(), HasSubstr("already"));
  auto body = body_of(value);
  ASSERT_TRUE(body.has_value());
  EXPECT_FALSE(body_of(value).has_value());
  ASSERT_TRUE(write(*body, "x").has_value());
  body->finish();
  ASSERT_TRUE(finish(value).has_value());
  EXPECT_EQ(get(c, "first"), "x");
  EXPECT_FALSE(has(c, "second"));
}

TEST_P(Draft, streams_carry_what_is_large_at_the_readers_pace) {
  Handle c = create();
  std::string text(3'000'000, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 13 + i / 777);
  put(c, "o", text);
  auto body = stream_of(*get_data(c, "o", 1, 2'500'000));
  ASSERT_TRUE(body.has_value());
  put(c, "o", "replaced");
  auto all = read_all(*body);
  ASSERT_TRUE(all.has_value()) << all.error().message();
  EXPECT_TRUE(as_text(*all) == std::string_view(text).substr(1, 2'500'000));
  // A reader that goes away ends the work behind it.
  auto other = stream_of(*get_data(c, "o"));
  *other = ByteReader();
  EXPECT_EQ(get(c, "o"), "replaced");
}

TEST_P(Draft, more_than_the_bound_is_not_given_at_once) {
  Handle c = create();
  Handle value = new_value();
  ASSERT_TRUE(bind(c, "o", value).has_value());
  auto body = body_of(value);
  std::string part(1 << 20, 'x');
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(write(*body, part).has_value());
  ASSERT_TRUE(write(*body, "y").has_value());
  body->finish();
  ASSERT_TRUE(finish(value).has_value());
  EXPECT_THAT(get(c, "o"), HasSubstr("consume-async"));
  EXPECT_EQ(get(c, "o", 1, kSyncBodyBytesMax).size(), kSyncBodyBytesMax);
}

TEST_P(Draft, a_list_is_read_and_skipped) {
  Handle c = create();
  for (std::string_view name : {"a", "b", "c"}) put(c, name, name);
  Handle names = *call<Handle>("container", "[method]container.list-objects", c);
  using Piece = std::tuple<std::vector<std::string>, bool>;
  using Skipped = std::tuple<std::uint64_t, bool>;
  auto skipped = call<Skipped>("container", "[method]stream-object-names.skip-stream-object-names",
                               names, std::uint64_t{1});
  EXPECT_EQ(*skipped, Skipped(1, false));
  // The container's handle may go first.
  guest_.resources().drop(c);
  auto piece = call<Piece>("container", "[method]stream-object-names.read-stream-object-names",
                           names, std::uint64_t{10});
  ASSERT_TRUE(piece.has_value());
  EXPECT_THAT(std::get<0>(*piece), ElementsAre("b", "c"));
  EXPECT_TRUE(std::get<1>(*piece));
}

TEST_P(Draft, containers_and_objects_say_what_they_are) {
  Handle c = create();
  put(c, "o", "12345");
  EXPECT_EQ(call<std::string>("container", "[method]container.name", c), "mine");
  auto info = call<ContainerMetadata>("container", "[method]container.info", c);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->name, "mine");
  EXPECT_GT(info->created_at, 1'700'000'000u);
  EXPECT_LT(info->created_at, 1'000'000'000'000u) << "seconds, no smaller units";
  auto object = call<ObjectMetadata>("container", "[method]container.object-info", c, "o");
  ASSERT_TRUE(object.has_value());
  EXPECT_EQ(object->name, "o");
  EXPECT_EQ(object->container, "mine");
  EXPECT_EQ(object->size, 5u);
  EXPECT_FALSE(call<ObjectMetadata>("container", "[method]container.object-info", c, "no"));
}

TEST_P(Draft, objects_are_deleted_copied_and_moved) {
  Handle c = create();
  Handle other = create("other");
  for (std::string_view name : {"a", "b", "c", "d"}) put(c, name, name);
  EXPECT_TRUE(call<void>("container", "[method]container.delete-object", c, "a"));
  std::vector<std::string> two = {"b", "absent"};
  EXPECT_TRUE(call<void>("container", "[method]container.delete-objects", c, two));
  EXPECT_FALSE(has(c, "a") || has(c, "b"));
  ObjectId from{"mine", "c"}, to{"other", "copy"};
  EXPECT_TRUE(call<void>("blobstore", "copy-object", from, to));
  EXPECT_EQ(get(other, "copy"), "c");
  EXPECT_TRUE(call<void>("blobstore", "move-object", to, ObjectId{"other", "moved"}));
  EXPECT_FALSE(has(other, "copy"));
  EXPECT_EQ(get(other, "moved"), "c");
  EXPECT_FALSE(call<void>("blobstore", "move-object", ObjectId{"mine", "absent"}, to));
  EXPECT_TRUE(call<void>("container", "[method]container.clear", c));
  EXPECT_FALSE(has(c, "d"));
  EXPECT_TRUE(has(other, "moved"));
}

TEST_P(Draft, containers_are_made_opened_and_deleted) {
  EXPECT_EQ(call<bool>("blobstore", "container-exists", "mine"), false);
  auto absent = call<Handle>("blobstore", "get-container", "mine");
  ASSERT_FALSE(absent.has_value());
  EXPECT_EQ(absent.error(), "there is no container \"mine\"");
  Handle c = create();
  put(c, "o", "x");
  EXPECT_EQ(call<bool>("blobstore", "container-exists", "mine"), true);
  EXPECT_FALSE(call<Handle>("blobstore", "create-container", "mine").has_value());
  EXPECT_EQ(get(*call<Handle>("blobstore", "get-container", "mine"), "o"), "x");
  EXPECT_TRUE(call<void>("blobstore", "delete-container", "mine"));
  EXPECT_THAT(get(c, "o"), HasSubstr("no container"));
  EXPECT_FALSE(call<Handle>("container", "[method]container.list-objects", c).has_value());
  EXPECT_FALSE(call<void>("blobstore", "delete-container", "mine"));
}

TEST_P(Draft, a_name_that_was_not_granted_is_refused_whatever_is_there) {
  create();
  for (std::string_view name : {"secret", "", "mine/"}) {
    auto denied = call<Handle>("blobstore", "create-container", name);
    ASSERT_FALSE(denied.has_value());
    EXPECT_THAT(denied.error(), HasSubstr("uses.blobstore"));
    EXPECT_FALSE(call<Handle>("blobstore", "get-container", name).has_value());
    EXPECT_FALSE(call<bool>("blobstore", "container-exists", name).has_value());
    EXPECT_FALSE(call<void>("blobstore", "delete-container", name).has_value());
    ObjectId inside{"mine", "o"}, outside{std::string(name), "o"};
    for (std::string_view function : {"copy-object", "move-object"}) {
      auto out = call<void>("blobstore", function, inside, outside);
      ASSERT_FALSE(out.has_value());
      EXPECT_THAT(out.error(), HasSubstr("uses.blobstore"));
      EXPECT_FALSE(call<void>("blobstore", function, outside, inside).has_value());
    }
  }
}

TEST_P(Draft, bodies_have_a_bound_and_give_their_places_back) {
  Handle c = create();
  put(c, "o", "x");
  std::vector<Handle> open;
  for (std::size_t i = 0; i < Bodies::kOpenMax; ++i) {
    // Of files, descriptors may end first; that is an error as well.
    auto value = get_data(c, "o");
    if (!value) break;
    open.push_back(*value);
  }
  auto refused = get_data(c, "o");
  ASSERT_FALSE(refused.has_value());
  for (Handle value : open) guest_.resources().drop(value);
  EXPECT_EQ(get(c, "o"), "x");
}

INSTANTIATE_TEST_SUITE_P(blobstore, Draft, ::testing::Values("memory", "files"),
                         [](const auto& driver) { return std::string(driver.param); });

}  // namespace
}  // namespace weft::blobstore
