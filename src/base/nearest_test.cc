// Shows which known word is offered for a mistyped one, and that a secret cannot be printed.
#include "base/nearest.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <type_traits>

#include "base/secret.h"

namespace weft {
namespace {

constexpr std::string_view kWords[] = {"source", "build", "limits", "uses", "stream-idle"};

TEST(Nearest, finds_what_was_meant) {
  EXPECT_EQ(nearest("sorce", kWords), "source");
  EXPECT_EQ(nearest("soruce", kWords), "source");
  EXPECT_EQ(nearest("biuld", kWords), "build");
  EXPECT_EQ(nearest("limit", kWords), "limits");
  EXPECT_EQ(nearest("use", kWords), "uses");
  EXPECT_EQ(nearest("stream_idle", kWords), "stream-idle");
}

TEST(Nearest, offers_nothing_for_what_is_like_nothing) {
  EXPECT_EQ(nearest("colour", kWords), std::nullopt);
  EXPECT_EQ(nearest("x", kWords), std::nullopt);
  EXPECT_EQ(nearest("", kWords), std::nullopt);
  EXPECT_EQ(nearest(std::string(1000, 's'), kWords), std::nullopt);
  std::string_view huge[] = {kWords[0], std::string_view()};
  EXPECT_EQ(nearest("source", huge), "source");
}

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) { out << value; };

TEST(Secret, is_given_to_whoever_asks_and_to_no_message) {
  static_assert(!fmt::is_formattable<Secret>::value);
  static_assert(!Streamable<Secret>);
  static_assert(!std::is_convertible_v<Secret, std::string_view>);
  Secret secret(std::string("hunter2"));
  EXPECT_EQ(secret.reveal(), "hunter2");
  Secret copy = secret;
  EXPECT_EQ(copy, secret);
  Secret moved = std::move(copy);
  EXPECT_EQ(moved.reveal(), "hunter2");
  EXPECT_EQ(copy.reveal(), "");  // NOLINT(bugprone-use-after-move): what is left behind is wiped.
}

}  // namespace
}  // namespace weft
