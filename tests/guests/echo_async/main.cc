// Streams, futures and async calls, both ways: see wit/world.wit.
// The bindings have one set of stream functions a type of item, under the first interface that has
// it.

#include <algorithm>
#include <vector>

#include "guest.h"
#include "weft/async.h"

namespace {

constexpr std::size_t kPiece = 64 * 1024;

weft::Task<> double_it(std::uint32_t value) {
  std::uint32_t result = 0;
  co_await weft::Subtask{weft_test_pipes_pipes_double(value, &result)};
  exports_weft_test_pipes_pipes_double_return(result);
}

weft::Task<> count(exports_weft_test_pipes_work_stream_u8_t data) {
  std::vector<std::uint8_t> buffer(kPiece);
  std::uint64_t sum = 0;
  for (bool more = true; more;) {
    auto read = exports_weft_test_pipes_pipes_stream_u8_read(data, buffer.data(), buffer.size());
    auto status = co_await weft::Io{data, read};
    sum += GUEST_WAITABLE_COUNT(status);
    more = GUEST_WAITABLE_STATE(status) == GUEST_WAITABLE_COMPLETED;
  }
  exports_weft_test_pipes_pipes_stream_u8_drop_readable(data);
  exports_weft_test_pipes_work_count_return(sum);
}

weft::Task<> produce(std::uint64_t size) {
  exports_weft_test_pipes_pipes_stream_u8_writer_t writer;
  exports_weft_test_pipes_work_produce_return(exports_weft_test_pipes_pipes_stream_u8_new(&writer));
  std::vector<std::uint8_t> piece(kPiece, 'x');
  for (bool more = true; more && size != 0;) {
    auto now = static_cast<std::size_t>(std::min<std::uint64_t>(size, piece.size()));
    auto write = exports_weft_test_pipes_pipes_stream_u8_write(writer, piece.data(), now);
    auto status = co_await weft::Io{writer, write};
    size -= GUEST_WAITABLE_COUNT(status);
    more = GUEST_WAITABLE_STATE(status) == GUEST_WAITABLE_COMPLETED;
  }
  exports_weft_test_pipes_pipes_stream_u8_drop_writable(writer);
}

}  // namespace

extern "C" {

guest_callback_code_t exports_weft_test_pipes_pipes_double(std::uint32_t value) {
  return weft::run_export([&] { return double_it(value); });
}

guest_callback_code_t exports_weft_test_pipes_pipes_double_callback(guest_event_t* event) {
  return weft::continue_export(event);
}

exports_weft_test_pipes_pipes_stream_u8_t exports_weft_test_pipes_pipes_pass_bytes(
    exports_weft_test_pipes_pipes_stream_u8_t data) {
  return weft_test_pipes_pipes_pass_bytes(data);
}

exports_weft_test_pipes_pipes_stream_string_t exports_weft_test_pipes_pipes_pass_words(
    exports_weft_test_pipes_pipes_stream_string_t words) {
  return weft_test_pipes_pipes_pass_words(words);
}

exports_weft_test_pipes_pipes_future_string_t exports_weft_test_pipes_pipes_pass_later(
    exports_weft_test_pipes_pipes_future_string_t value) {
  return weft_test_pipes_pipes_pass_later(value);
}

guest_callback_code_t exports_weft_test_pipes_work_count(
    exports_weft_test_pipes_work_stream_u8_t data) {
  return weft::run_export([&] { return count(data); });
}

guest_callback_code_t exports_weft_test_pipes_work_count_callback(guest_event_t* event) {
  return weft::continue_export(event);
}

guest_callback_code_t exports_weft_test_pipes_work_produce(std::uint64_t size) {
  return weft::run_export([&] { return produce(size); });
}

guest_callback_code_t exports_weft_test_pipes_work_produce_callback(guest_event_t* event) {
  return weft::continue_export(event);
}

}  // extern "C"
