// Shows that the C++ bindings of a guest and those of the host agree: random values of every kind
// of type go into the exports of a guest, out of its imports and back, and are what they were; one
// header that uses the types is compiled against both; and two guests, put together, hand each
// other resources, streams and futures.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "engine/testing.h"
#include "types.h"
#include "wit/test/mirror_1_0_0/everything.h"

namespace weft::testing {
namespace {

namespace shapes = wit::test::mirror_1_0_0::shapes;

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::size_t below(std::size_t bound) { return engine_() % bound; }
  std::uint64_t bits() {
    // The ends of the range are where mistakes are.
    switch (below(4)) {
      case 0: return 0;
      case 1: return ~std::uint64_t{0};
      default: return engine_() >> below(64);
    }
  }

 private:
  std::mt19937_64 engine_;
};

// A random value of a type.
template <class T>
struct Make;
template <class T>
T make(Random& random) {
  return Make<T>::of(random);
}

template <std::integral T>
struct Make<T> {
  static T of(Random& random) { return static_cast<T>(random.bits()); }
};
template <>
struct Make<bool> {
  static bool of(Random& random) { return random.below(2) == 1; }
};
template <>
struct Make<char32_t> {
  static char32_t of(Random& random) {
    constexpr char32_t kLetters[] = {U'a', U'\u00e9', U'\u20ac', U'\U0001f600', U'\0'};
    return kLetters[random.below(std::size(kLetters))];
  }
};
template <std::floating_point T>
struct Make<T> {
  static T of(Random& random) {
    constexpr T kSpecial[] = {0, -T{0}, std::numeric_limits<T>::infinity(),
                              std::numeric_limits<T>::denorm_min()};
    if (random.below(4) == 0) return kSpecial[random.below(std::size(kSpecial))];
    return static_cast<T>(static_cast<std::int64_t>(random.bits())) / 3;
  }
};
template <>
struct Make<std::string> {
  static std::string of(Random& random) {
    return std::string(random.below(3) == 0 ? "" : "\u20ac") +
           std::string(random.below(300), static_cast<char>('a' + random.below(26)));
  }
};
template <class T>
struct Make<std::vector<T>> {
  static std::vector<T> of(Random& random) {
    std::vector<T> list;
    for (std::size_t left = random.below(7); left > 0; --left) list.push_back(make<T>(random));
    return list;
  }
};
template <class T>
struct Make<std::optional<T>> {
  static std::optional<T> of(Random& random) {
    if (random.below(3) == 0) return std::nullopt;
    return make<T>(random);
  }
};
template <class... T>
struct Make<std::tuple<T...>> {
  static std::tuple<T...> of(Random& random) { return std::tuple<T...>{make<T>(random)...}; }
};
template <class T, class E>
struct Make<std::expected<T, E>> {
  static std::expected<T, E> of(Random& random) {
    if (random.below(2) == 0) return std::unexpected(make<E>(random));
    if constexpr (std::is_void_v<T>) {
      return {};
    } else {
      return make<T>(random);
    }
  }
};
template <>
struct Make<Nothing> {
  static Nothing of(Random&) { return {}; }
};
template <>
struct Make<shapes::Colour> {
  static shapes::Colour of(Random& random) { return static_cast<shapes::Colour>(random.below(3)); }
};
template <>
struct Make<shapes::Permissions> {
  static shapes::Permissions of(Random& random) {
    return {.read = make<bool>(random),
            .c = make<bool>(random),
            .d = make<bool>(random),
            .ninth = make<bool>(random)};
  }
};
template <>
struct Make<shapes::ManyFlags> {
  static shapes::ManyFlags of(Random& random) {
    return {.f0 = make<bool>(random),
            .f7 = make<bool>(random),
            .f8 = make<bool>(random),
            .f15 = make<bool>(random),
            .f16 = make<bool>(random),
            .f20 = make<bool>(random)};
  }
};
template <>
struct Make<shapes::Point> {
  static shapes::Point of(Random& random) {
    return {make<std::int32_t>(random), make<std::int32_t>(random)};
  }
};
template <>
struct Make<shapes::Scalars> {
  static shapes::Scalars of(Random& random) {
    return {make<bool>(random),          make<std::uint8_t>(random),  make<std::uint16_t>(random),
            make<std::uint32_t>(random), make<std::uint64_t>(random), make<std::int8_t>(random),
            make<std::int16_t>(random),  make<std::int32_t>(random),  make<std::int64_t>(random),
            make<float>(random),         make<double>(random),        make<char32_t>(random),
            make<std::string>(random)};
  }
};
template <>
struct Make<shapes::Mixed> {
  static shapes::Mixed of(Random& random) {
    switch (random.below(7)) {
      case 0: return shapes::Mixed::nothing();
      case 1: return shapes::Mixed::a(make<float>(random));
      case 2: return shapes::Mixed::b(make<std::uint64_t>(random));
      case 3: return shapes::Mixed::c(make<std::string>(random));
      case 4: return shapes::Mixed::d(make<double>(random));
      case 5: return shapes::Mixed::e(make<std::tuple<std::uint8_t, std::int64_t, float>>(random));
      default: return shapes::Mixed::f(make<shapes::Colour>(random));
    }
  }
};
template <>
struct Make<shapes::Shape> {
  static shapes::Shape of(Random& random) {
    switch (random.below(6)) {
      case 0: return shapes::Shape::nothing();
      case 1: return shapes::Shape::dot(make<shapes::Point>(random));
      case 2: return shapes::Shape::text(make<std::string>(random));
      case 3: return shapes::Shape::path(make<std::vector<shapes::Point>>(random));
      case 4: return shapes::Shape::index_(make<std::uint32_t>(random));
      default: return shapes::Shape::variant_(make<std::uint8_t>(random));
    }
  }
};
template <>
struct Make<shapes::Failure> {
  static shapes::Failure of(Random& random) {
    if (random.below(2) == 0) return shapes::Failure::not_found();
    return shapes::Failure::other(make<std::string>(random));
  }
};
template <>
struct Make<shapes::Nested> {
  static shapes::Nested of(Random& random) {
    return {make<std::string>(random), make<std::vector<shapes::Shape>>(random),
            make<std::optional<shapes::Mixed>>(random),
            make<std::expected<std::uint8_t, shapes::Failure>>(random)};
  }
};

template <class... T>
Bytes bytes_of(const T&... values) {
  Buffer buffer;
  Writer out(buffer);
  (out.write(values), ...);
  EXPECT_TRUE(out.end());
  return {buffer.view().begin(), buffer.view().end()};
}
template <class T>
T value_of(const Stage::Ended& ended) {
  EXPECT_EQ(ended.outcome.ending, RunOutcome::Ending::kDone) << ended.outcome.message;
  Reader in(ended.reply);
  T value = in.read<T>();
  EXPECT_TRUE(in.end());
  return value;
}

class CppGuestTest : public ::testing::Test {
 protected:
  // A few random calls of an export that gives back what it is given.
  template <class... T>
  void echoes(std::string_view name) {
    SCOPED_TRACE(name);
    for (int i = 0; i < 12; ++i) {
      Bytes arguments = std::apply([](const auto&... each) { return bytes_of(each...); },
                                   std::tuple<T...>{make<T>(random_)...});
      Stage::Ended ended = stage_.call(name, arguments);
      ASSERT_EQ(ended.outcome.ending, RunOutcome::Ending::kDone) << ended.outcome.message;
      ASSERT_EQ(ended.reply, arguments);
    }
  }

  const std::uint64_t seed_ = std::random_device()();
  Random random_{seed_};
  Ground ground_;
  Stage stage_{ground_, guest("mirror")};
};

TEST_F(CppGuestTest, ValuesOfEveryKindComeBackAsTheyWere) {
  SCOPED_TRACE(seed_);
  echoes<bool>("echo-bool");
  echoes<std::int8_t>("echo-s8");
  echoes<std::uint64_t>("echo-u64");
  echoes<float>("echo-f32");
  echoes<double>("echo-f64");
  echoes<char32_t>("echo-char");
  echoes<std::string>("echo-string");
  echoes<shapes::Scalars>("echo-scalars");
  echoes<shapes::Mixed>("echo-mixed");
  echoes<shapes::Shape>("echo-shape");
  echoes<shapes::Permissions>("echo-permissions");
  echoes<std::tuple<std::string, std::uint64_t, bool>>("echo-tuple");
  echoes<std::optional<std::optional<std::string>>>("echo-option");
  echoes<std::expected<std::string, shapes::Failure>>("echo-result");
  echoes<std::expected<void, Nothing>>("echo-bare-result");
  echoes<std::uint8_t, std::uint8_t>("static");
  echoes<>("nothing");
  echoes<shapes::Nested>("later");
  echoes<std::string, shapes::Scalars, Bytes, std::optional<std::uint64_t>>("many-params");
}

TEST_F(CppGuestTest, ListsComeBackAsTheyWere) {
  SCOPED_TRACE(seed_);
  echoes<std::vector<shapes::Mixed>>("echo-mixed-list");
  echoes<std::vector<shapes::Shape>>("echo-shapes");
  echoes<std::vector<shapes::Nested>>("echo-nested");
  echoes<std::vector<shapes::Colour>>("echo-colours");
  echoes<std::vector<shapes::ManyFlags>>("echo-many-flags");
  echoes<std::vector<shapes::Point>>("echo-points");
  echoes<Bytes>("echo-bytes");
  echoes<std::vector<bool>>("echo-bools");
  echoes<std::vector<float>>("echo-floats");
  echoes<std::vector<std::int64_t>>("echo-longs");
  echoes<std::vector<char32_t>>("echo-chars");
  echoes<std::vector<std::tuple<std::string, Bytes>>>("echo-pairs");
  echoes<std::vector<std::string>>("echo-names");
}

// A result that is refused in one type and answered in another.
TEST_F(CppGuestTest, ResultsMayHaveOneSide) {
  using Answer = std::expected<float, Nothing>;
  stage_.script().serve = [](Call& call, Completion& done) {
    Reader in(call.arguments());
    auto asked = in.read<std::expected<void, std::uint64_t>>();
    Answer answer = std::unexpected(Nothing());
    if (!asked) answer = static_cast<float>(asked.error());
    Writer out(done.reply());
    out.write(answer);
    std::move(done).finish();
    return true;
  };
  std::expected<void, std::uint64_t> asked;
  EXPECT_EQ(value_of<Answer>(stage_.call("echo-one-sided", bytes_of(asked))),
            Answer(std::unexpected(Nothing())));
  asked = std::unexpected(7);
  EXPECT_EQ(value_of<Answer>(stage_.call("echo-one-sided", bytes_of(asked))), Answer(7));
}

TEST_F(CppGuestTest, OneSourceUsesTheTypesOfBothSides) {
  SCOPED_TRACE(seed_);
  EXPECT_EQ(value_of<shapes::Nested>(stage_.call("sample", {})), mirror::sample());
  for (int i = 0; i < 20; ++i) {
    auto nested = make<shapes::Nested>(random_);
    EXPECT_EQ(value_of<std::string>(stage_.call("tell", bytes_of(nested))), mirror::tell(nested));
  }
}

TEST_F(CppGuestTest, ResourcesOfTheHostsAreMadeLentAndHandedOver) {
  EXPECT_EQ(
      value_of<std::uint32_t>(stage_.call("count", bytes_of(std::uint32_t{3}, std::uint32_t{4}))),
      107);
  EXPECT_EQ(Counter::alive, 0);
  EXPECT_EQ(value_of<std::string>(stage_.call("shout", bytes_of(std::string("hey")))), "hey!");
}

TEST(CppGuestPair, ResourcesStreamsAndFuturesGoFromGuestToGuest) {
  Ground ground;
  Stage stage(ground, guest("pair"));
  EXPECT_EQ(value_of<std::string>(stage.call("check", {})), "all is well");
}

}  // namespace
}  // namespace weft::testing
