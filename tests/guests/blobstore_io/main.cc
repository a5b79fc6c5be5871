// Uses wasi:blobstore with the streams of wasi:io 0.2.0, as older components do: writes an object
// and reads a part of it. Without a libc's own imports, which would bring a later wasi:io.

#include <string_view>

#include "guest.h"

namespace {

guest_string_t lend(std::string_view text) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())), text.size()};
}

// False when it failed; `error` then says why.
bool write(wasi_blobstore_container_borrow_container_t container, std::string_view text,
           guest_string_t& error) {
  auto value = wasi_blobstore_types_static_outgoing_value_new_outgoing_value();
  auto lent = wasi_blobstore_types_borrow_outgoing_value(value);
  auto name = lend("object");
  if (!wasi_blobstore_container_method_container_write_data(container, &name, lent, &error)) {
    return false;
  }
  wasi_io_streams_own_output_stream_t body;
  if (!wasi_blobstore_types_method_outgoing_value_outgoing_value_write_body(lent, &body)) {
    guest_string_dup(&error, "there is no stream");
    return false;
  }
  wasi_io_streams_stream_error_t failed;
  auto bytes = lend(text);
  guest_list_u8_t list{bytes.ptr, bytes.len};
  bool written = wasi_io_streams_method_output_stream_blocking_write_and_flush(
      wasi_io_streams_borrow_output_stream(body), &list, &failed);
  wasi_io_streams_output_stream_drop_own(body);
  if (!written) guest_string_dup(&error, "the stream takes nothing");
  return written && wasi_blobstore_types_static_outgoing_value_finish(value, &error);
}

// Some bytes of the object, or why there are none.
guest_string_t read(wasi_blobstore_container_borrow_container_t container) {
  guest_string_t error;
  auto name = lend("object");
  wasi_blobstore_types_own_incoming_value_t value;
  if (!wasi_blobstore_container_method_container_get_data(container, &name, 15, 99, &value,
                                                          &error)) {
    return error;
  }
  wasi_io_streams_own_input_stream_t body;
  if (!wasi_blobstore_types_static_incoming_value_incoming_value_consume_async(value, &body,
                                                                               &error)) {
    return error;
  }
  wasi_io_streams_stream_error_t failed;
  guest_list_u8_t piece;
  if (!wasi_io_streams_method_input_stream_blocking_read(wasi_io_streams_borrow_input_stream(body),
                                                         100, &piece, &failed)) {
    guest_string_dup(&error, "the stream gives nothing");
    return error;
  }
  return {piece.ptr, piece.len};
}

}  // namespace

extern "C" void exports_test_blobstore_io_check_run(guest_string_t* out) {
  auto name = lend("box");
  wasi_blobstore_container_own_container_t handle;
  if (!wasi_blobstore_blobstore_create_container(&name, &handle, out)) return;
  auto container = wasi_blobstore_container_borrow_container(handle);
  if (write(container, "streams of the first version", *out)) *out = read(container);
}
