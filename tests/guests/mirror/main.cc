// Each export gives what the import of the same name answers: values of every kind go through the
// bindings twice.

#include "guest.hpp"
#include "types.h"

namespace everything = weft::wit::test::mirror_1_0_0::everything;
namespace counters = weft::wit::test::mirror_1_0_0::counters;
namespace world = weft::wit::test::mirror_1_0_0::guest;

namespace weft::wit::test::mirror_1_0_0::everything::exports {

bool echo_bool(bool v) {
  return everything::echo_bool(v);
}
std::int8_t echo_s8(std::int8_t v) {
  return everything::echo_s8(v);
}
std::uint64_t echo_u64(std::uint64_t v) {
  return everything::echo_u64(v);
}
float echo_f32(float v) {
  return everything::echo_f32(v);
}
double echo_f64(double v) {
  return everything::echo_f64(v);
}
char32_t echo_char(char32_t v) {
  return everything::echo_char(v);
}
std::string echo_string(std::string_view v) {
  return everything::echo_string(v);
}
Scalars echo_scalars(Scalars v) {
  return everything::echo_scalars(v);
}
Mixed echo_mixed(Mixed v) {
  return everything::echo_mixed(v);
}
std::vector<Mixed> echo_mixed_list(std::vector<Mixed> v) {
  return everything::echo_mixed_list(v);
}
Shape echo_shape(Shape v) {
  return everything::echo_shape(v);
}
std::vector<Shape> echo_shapes(std::vector<Shape> v) {
  return everything::echo_shapes(v);
}
std::vector<Nested> echo_nested(std::vector<Nested> v) {
  return everything::echo_nested(v);
}
std::vector<Colour> echo_colours(std::vector<Colour> v) {
  return everything::echo_colours(v);
}
Permissions echo_permissions(Permissions v) {
  return everything::echo_permissions(v);
}
std::vector<ManyFlags> echo_many_flags(std::vector<ManyFlags> v) {
  return everything::echo_many_flags(v);
}
std::vector<Point> echo_points(std::vector<Point> v) {
  return everything::echo_points(v);
}
std::tuple<std::string, std::uint64_t, bool> echo_tuple(
    std::tuple<std::string_view, std::uint64_t, bool> v) {
  return everything::echo_tuple(v);
}
std::optional<std::optional<std::string>> echo_option(
    std::optional<std::optional<std::string_view>> v) {
  return everything::echo_option(v);
}
std::expected<std::string, Failure> echo_result(std::expected<std::string_view, Failure> v) {
  return everything::echo_result(v);
}
std::expected<void, weft::Nothing> echo_bare_result(std::expected<void, weft::Nothing> v) {
  return everything::echo_bare_result(v);
}
std::expected<float, weft::Nothing> echo_one_sided(std::expected<void, std::uint64_t> v) {
  return everything::echo_one_sided(v);
}
std::vector<std::uint8_t> echo_bytes(std::span<const std::uint8_t> v) {
  return everything::echo_bytes(v);
}
std::vector<bool> echo_bools(std::vector<bool> v) {
  return everything::echo_bools(v);
}
std::vector<float> echo_floats(std::span<const float> v) {
  return everything::echo_floats(v);
}
std::vector<std::int64_t> echo_longs(std::span<const std::int64_t> v) {
  return everything::echo_longs(v);
}
std::vector<char32_t> echo_chars(std::span<const char32_t> v) {
  return everything::echo_chars(v);
}
std::vector<std::tuple<std::string, std::vector<std::uint8_t>>> echo_pairs(
    std::vector<std::tuple<std::string_view, std::span<const std::uint8_t>>> v) {
  return everything::echo_pairs(v);
}
std::vector<std::string> echo_names(std::vector<std::string_view> v) {
  return everything::echo_names(v);
}
std::tuple<std::string, Scalars, std::vector<std::uint8_t>, std::optional<std::uint64_t>>
many_params(std::string_view a, Scalars b, std::span<const std::uint8_t> c,
            std::optional<std::uint64_t> d) {
  return everything::many_params(a, b, c, d);
}
std::tuple<std::uint8_t, std::uint8_t> static_(std::uint8_t call_, std::uint8_t deadline_) {
  return everything::static_(call_, deadline_);
}
void nothing() {
  everything::nothing();
}
weft::Task<Nested> later(Nested v) {
  co_return co_await everything::later(std::move(v));
}

}  // namespace weft::wit::test::mirror_1_0_0::everything::exports

std::uint32_t world::exports::count(std::uint32_t start, std::uint32_t more) {
  counters::Counter counter(start);
  counter.add(more);
  counters::Counter other(100);
  auto merged = counters::Counter::merge(std::move(counter), other);
  return counter ? 0 : merged.add(0);
}

weft::wit::test::mirror_1_0_0::shapes::Nested world::exports::sample() {
  return mirror::sample();
}

std::string world::exports::tell(Nested v) {
  return mirror::tell(v);
}

std::string world::exports::shout(std::string_view text) {
  return std::string(text) + "!";
}
