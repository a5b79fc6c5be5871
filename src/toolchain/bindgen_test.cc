// Shows what the generator makes: code for an interface with every kind of type, compiled by the
// build, is called through a link by its own client, so that each value is encoded and decoded four
// times on its way.

#include "toolchain/bindgen/bindgen.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "door/testing.h"
#include "io/loop.h"
#include "io/test_task.h"
#include "toolchain/bindgen/names.h"
#include "toolchain/everything_host.h"
#include "wit/test/everything_1_2_0_rc_1/everything.h"
#include "wit/test/everything_1_2_0_rc_1/shapes.h"

namespace weft {
namespace {

namespace everything = wit::test::everything_1_2_0_rc_1::everything;
namespace shapes = wit::test::everything_1_2_0_rc_1::shapes;
using everything::Client;
using everything::Failure;
using everything::Shape;
using testing::Counter;
using testing::Host;

class BindgenTest : public ::testing::Test {
 protected:
  BindgenTest() {
    std::vector<Link*> by_ordinal;
    for (std::size_t i = 0; i < everything::kFunctions.size(); ++i) {
      links_.push_back(std::make_unique<Link>(
          make_function(everything::kName, everything::kFunctions, i), binding_));
      by_ordinal.push_back(links_.back().get());
    }
    client_ = std::make_unique<Client>(pool_, context_, by_ordinal);
  }

  // Runs the task to its end and gives what came of it.
  template <class T>
  Result<T> run(Task<T> task) {
    return testing::run_task(loop_, std::move(task));
  }
  template <class T>
  T value(Task<T> task) {
    Result<T> outcome = run(std::move(task));
    if (!outcome) throw std::runtime_error(outcome.error().message());
    return *std::move(outcome);
  }
  // A call of one function with bytes as they are.
  Result<Bytes> raw(std::string_view name, Bytes arguments) {
    for (auto& link : links_) {
      if (link->function().name != name) continue;
      HeldCall call(pool_.start(*link, context_, arguments, Deadline::never()));
      if (call->state() == Call::State::kFailed) return std::unexpected(call->error());
      return Bytes(call->reply().begin(), call->reply().end());
    }
    return failure(Errc::kNotFound, std::string(name));
  }

  const Deadline never_ = Deadline::never();
  int alive_ = 0;
  Loop loop_;
  CallPool pool_;
  Host host_{alive_};
  everything::Binding binding_{host_};
  Context context_{loop_, "shop", "cart"};
  std::vector<std::unique_ptr<Link>> links_;
  std::unique_ptr<Client> client_;
};

TEST_F(BindgenTest, PlainValuesComeBackAsTheyWere) {
  everything::Scalars scalars{.a = true,
                              .b = 255,
                              .c = 65535,
                              .d = 1u << 31,
                              .e = ~0ull,
                              .f = -128,
                              .g = -32768,
                              .h = -5,
                              .i = INT64_MIN,
                              .j = 0.5F,
                              .k = -1e300,
                              .l = U'\u20ac',
                              .m = "text"};
  EXPECT_EQ(value(client_->echo_scalars(scalars, never_)), scalars);
  EXPECT_EQ(value(client_->echo_colour(everything::Colour::kDarkGreen, never_)),
            shapes::Colour::kDarkGreen);
  EXPECT_EQ(to_string(shapes::Colour::kDarkGreen), "dark-green");
  for (auto permissions :
       {everything::Permissions{}, everything::Permissions{.read = true, .delete_ = true},
        everything::Permissions{.d = true, .ninth = true}}) {
    EXPECT_EQ(value(client_->echo_permissions(permissions, never_)), permissions);
  }
  EXPECT_EQ(value(client_->echo_tuple({"a", 5, true}, never_)),
            (std::tuple<std::string, std::uint64_t, bool>("a", 5, true)));
  using Option = std::optional<std::optional<std::string>>;
  EXPECT_EQ(value(client_->echo_option(std::nullopt, never_)), Option());
  EXPECT_EQ(value(client_->echo_option(std::optional<std::string_view>(), never_)),
            Option(std::optional<std::string>()));
  EXPECT_EQ(value(client_->echo_option(std::optional<std::string_view>("x"), never_)), Option("x"));
  EXPECT_EQ(value(client_->echo_result("fine", never_)), "fine");
  EXPECT_EQ(value(client_->echo_result(std::unexpected(Failure::other("bad")), never_)),
            std::unexpected(Failure::other("bad")));
  EXPECT_FALSE(value(client_->echo_bare_result(std::unexpected(Nothing()), never_)).has_value());
  EXPECT_TRUE(value(client_->echo_bare_result({}, never_)).has_value());
  EXPECT_EQ(value(client_->static_(2, 3, never_)), 515);
  EXPECT_TRUE(run(client_->nothing(never_)));
  EXPECT_EQ(host_.nothings, 1);
}

TEST_F(BindgenTest, ListsComeBackAsTheyWere) {
  Bytes bytes = {0, 1, 255};
  EXPECT_EQ(value(client_->echo_bytes(bytes, never_)), bytes);
  EXPECT_EQ(value(client_->echo_bytes({}, never_)), Bytes());
  EXPECT_THAT(value(client_->echo_names({"a", "", "c"}, never_)),
              ::testing::ElementsAre("a", "", "c"));
  EXPECT_THAT(value(client_->echo_floats({1.5F, -2}, never_)), ::testing::ElementsAre(1.5F, -2));
  EXPECT_THAT(value(client_->echo_fixed({1, 500, 65535}, never_)),
              ::testing::ElementsAre(1, 500, 65535));
  EXPECT_EQ(value(client_->echo_pairs({{"k", bytes}, {"l", {}}}, never_)),
            (std::vector<std::tuple<std::string, Bytes>>{{"k", bytes}, {"l", {}}}));
  EXPECT_EQ(value(client_->echo_map({{"k", 1}, {"l", 2}}, never_)),
            (std::vector<std::tuple<std::string, std::uint32_t>>{{"k", 1}, {"l", 2}}));
}

TEST_F(BindgenTest, VariantsComeBackAndMatch) {
  std::vector<Shape> all = {Shape::nothing(), Shape::dot({.x = 1, .y = -1}),
                            Shape::text("t"), Shape::path({{1, 2}, {3, 4}}),
                            Shape::index_(9), Shape::variant_(3)};
  for (const Shape& each : all) EXPECT_EQ(value(client_->echo_shape(each, never_)), each);
  EXPECT_EQ(value(client_->echo_shapes(all, never_)), all);
  EXPECT_TRUE(all[0].is<Shape::Nothing>());
  EXPECT_EQ(all[1].as<Shape::Text>(), nullptr);
  EXPECT_EQ(all[2].as<Shape::Text>()->value, "t");
  std::string seen =
      all[4].match([](const Shape::Index& index) { return std::to_string(index.value); },
                   [](const auto&) { return std::string("another"); });
  EXPECT_EQ(seen, "9");
}

TEST_F(BindgenTest, ResourcesAreMadeLentAndHandedOver) {
  {
    auto three = value(client_->make_counter(3, never_));
    auto seven = *value(client_->counter_from_text("seven", never_));
    EXPECT_EQ(value(client_->counter_from_text("x", never_)).error(), Failure::other("x"));
    EXPECT_EQ(alive_, 2);
    EXPECT_EQ(value(client_->counter_get(three, never_)), 3);
    EXPECT_EQ(value(client_->counter_add(three, 1, never_)), 4);
    EXPECT_EQ(value(client_->counter_wait(three, 2, never_)), 6);
    EXPECT_EQ(value(client_->counter_wait(three, 0, never_)),
              std::unexpected(Failure::not_found()));
    EXPECT_TRUE(value(client_->counter_delete(three, "all", never_)));
    EXPECT_EQ(value(client_->sum({&three, &seven, &three}, std::nullopt, never_)), 15);
    EXPECT_EQ(value(client_->sum({}, &seven, never_)), 7);
    EXPECT_EQ(value(client_->take(std::move(three), seven, never_)), 28);
    EXPECT_EQ(alive_, 1);
    auto [left, right] = value(client_->split(std::move(seven), never_));
    EXPECT_EQ(value(client_->counter_merge(left, std::move(right), never_)), 6);
    EXPECT_EQ(alive_, 1);
    EXPECT_EQ(context_.resources().size(), 1);
  }
  EXPECT_EQ(alive_, 0);
  EXPECT_EQ(context_.resources().size(), 0);
}

// A record that owns resources is the host's alone: the bytes are written by hand.
TEST_F(BindgenTest, ResourcesInsideRecordsAreHandedOver) {
  auto number = context_.resources().push(Counter::kKind, std::make_unique<Counter>(1, alive_));
  auto reply = raw("send", {1, 'p', static_cast<std::uint8_t>(*number), 0});
  ASSERT_TRUE(reply) << reply.error().message();
  Bytes expected = {6, 'p', ' ', 's', 'e', 'n', 't', static_cast<std::uint8_t>(*number), 0};
  EXPECT_EQ(*reply, expected);
  EXPECT_EQ(alive_, 1);
}

TEST_F(BindgenTest, LateAnswersStreamsAndFailuresReachTheCaller) {
  EXPECT_EQ(value(client_->late("hey", never_)), "hey!");
  auto [in, writer] = Stream<std::uint8_t>::make(loop_);
  auto [done, name] = Future<std::string>::make(loop_);
  auto [bare, bell] = Future<>::make(loop_);
  auto out = value(client_->pipe(std::move(in), std::move(done), std::move(bare), never_));
  writer.end().write(as_bytes("one,"));
  writer.finish();
  ASSERT_TRUE(name.set("two"));
  ASSERT_TRUE(bell.set({}));
  EXPECT_EQ(as_text(value(out.read_all(1000, never_))), "one,two");
  auto failed = run(client_->fail("the disk", never_));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::kIo);
  EXPECT_EQ(failed.error().message(), "the disk");
  EXPECT_FALSE(run(client_->connect(never_)));
}

TEST_F(BindgenTest, BadArgumentsFailTheCallAlone) {
  EXPECT_EQ(raw("echo-colour", {3}).error().code(), Errc::kInvalid);
  EXPECT_EQ(raw("echo-shape", {6}).error().code(), Errc::kInvalid);
  EXPECT_EQ(raw("echo-permissions", {0, 2}).error().code(), Errc::kInvalid);
  EXPECT_EQ(raw("echo-permissions", {0xff, 1}), (Bytes{0xff, 1}));
  EXPECT_EQ(raw("echo-bytes", {2, 1}).error().code(), Errc::kInvalid);
  EXPECT_EQ(raw("nothing", {0}).error().code(), Errc::kInvalid);
  EXPECT_EQ(raw("[method]counter.get", {5}).error().code(), Errc::kInvalid);
  EXPECT_THAT(raw("echo-colour", {}).error().message(),
              ::testing::AllOf(::testing::HasSubstr("test:everything/everything@1.2.0-rc.1"),
                               ::testing::HasSubstr("echo-colour")));
}

TEST_F(BindgenTest, TheTableSaysWhatCrosses) {
  auto info = [](std::string_view name) {
    for (const FunctionInfo& each : everything::kFunctions) {
      if (each.name == name) return each;
    }
    ADD_FAILURE() << name;
    return FunctionInfo{};
  };
  EXPECT_TRUE(info("echo-scalars").plain);
  EXPECT_FALSE(info("send").plain);
  EXPECT_FALSE(info("pipe").plain);
  EXPECT_FALSE(info("[constructor]counter").plain);
  EXPECT_TRUE(info("late").async);
  EXPECT_FALSE(info("nothing").async);
  EXPECT_EQ(info("echo-bytes").signature, "func(b: list<u8>) -> list<u8>");
}

TEST(Bindgen, NamesFollowOneRule) {
  EXPECT_EQ(bindgen::snake_case("no-such-store"), "no_such_store");
  EXPECT_EQ(bindgen::snake_case("HTTP-error"), "http_error");
  EXPECT_EQ(bindgen::snake_case("delete"), "delete_");
  EXPECT_EQ(bindgen::pascal_case("no-such-store"), "NoSuchStore");
  EXPECT_EQ(bindgen::pascal_case("client"), "Client_");
  EXPECT_EQ(bindgen::constant_case("client"), "kClient");
  bindgen::Interface interface{.name = "",
                               .package = "wasi:keyvalue",
                               .interface = "store",
                               .version = "0.2.0-draft2",
                               .types = {},
                               .functions = {}};
  EXPECT_EQ(bindgen::namespace_of(interface), "weft::wit::wasi::keyvalue_0_2_0_draft2::store");
  interface.package = "std:export";
  interface.version = "";
  EXPECT_EQ(bindgen::path_of(interface), "wit/std_/export_/store");
}

TEST(Bindgen, WhatIsNoDescriptionIsRefused) {
  for (const char* text : {"", "{}", "[]", R"({"interfaces":[{}]})",
                           R"({"interfaces":[{"name":"a:b/c","types":[{"id":0,"kind":"list",)"
                           R"("type":{"id":9}}],"functions":[]}]})",
                           R"({"interfaces":[{"name":"a:b/c","types":[{"id":0,"kind":"song"}],)"
                           R"("functions":[]}]})",
                           R"({"interfaces":[{"name":"a:b/c","types":[{"id":0,"kind":"alias",)"
                           R"("name":"x","owner":"a:b/d","original":"x","type":null}],)"
                           R"("functions":[]}]})"}) {
    auto files = bindgen::generate(text);
    ASSERT_FALSE(files) << text;
    EXPECT_EQ(files.error().code(), Errc::kInvalid) << text;
  }
}

// An interface that takes an input-stream and gives an output-stream; KIND is how it takes it.
std::string bodies(std::string_view kind) {
  return fmt::format(
      R"({{"interfaces":[{{"interface":"streams","name":"wasi:io/streams@0.2.6",)"
      R"("package":"wasi:io","version":"0.2.6","functions":[],"types":[)"
      R"({{"id":0,"kind":"resource","name":"input-stream","owner":"wasi:io/streams@0.2.6"}},)"
      R"({{"id":1,"kind":"resource","name":"output-stream","owner":"wasi:io/streams@0.2.6"}}]}},)"
      R"({{"interface":"bodies","name":"test:x/bodies","package":"test:x","version":null,)"
      R"("types":[{{"id":0,"kind":"alias","name":"input-stream","original":"input-stream",)"
      R"("owner":"wasi:io/streams@0.2.6","type":null,"underlying":"resource"}},)"
      R"({{"id":1,"kind":"alias","name":"output-stream","original":"output-stream",)"
      R"("owner":"wasi:io/streams@0.2.6","type":null,"underlying":"resource"}},)"
      R"({{"id":2,"kind":"{}","name":null,"owner":"test:x/bodies","resource":0}},)"
      R"({{"id":3,"kind":"own","name":null,"owner":"test:x/bodies","resource":1}}],)"
      R"("functions":[{{"async":false,"kind":"free","name":"copy","params":[)"
      R"({{"name":"from","type":{{"id":2}}}}],"resource":null,"result":{{"id":3}},)"
      R"("signature":"func(from: own<input-stream>) -> own<output-stream>"}}]}}]}})",
      kind);
}

TEST(Bindgen, WasisStreamsAreTypedEnds) {
  auto files = bindgen::generate(bodies("own"));
  ASSERT_TRUE(files) << files.error().message();
  ASSERT_EQ(files->size(), 2u) << "nothing is made for wasi:io itself";
  const std::string& header = files->front().text;
  EXPECT_NE(header.find("virtual ::weft::Answer<::weft::OutputPipe> copy(::weft::Call& call, "
                        "::weft::InputPipe from) = 0;"),
            header.npos)
      << header;
  EXPECT_NE(header.find("::weft::Task<::weft::OutputPipe> copy(::weft::InputPipe from, "
                        "::weft::Deadline deadline);"),
            header.npos);
  auto lent = bindgen::generate(bodies("borrow"));
  ASSERT_FALSE(lent);
  EXPECT_NE(lent.error().message().find("pass it as own"), std::string::npos);
}

}  // namespace
}  // namespace weft
