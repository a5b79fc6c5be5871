// A page that counts its visitors, in C: over "guest.h", the bindings of the world http-p2.

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "guest.h"

// The number of this visit; 0 when the store does not answer.
static uint64_t count_visit(void) {
  guest_string_t name, key;
  guest_string_set(&name, "visits");
  guest_string_set(&key, "all");
  wasi_keyvalue_store_own_bucket_t bucket;
  wasi_keyvalue_store_error_t error;
  uint64_t visits = 0;
  if (!wasi_keyvalue_store_open(&name, &bucket, &error)) {
    wasi_keyvalue_store_error_free(&error);
    return 0;
  }
  if (!wasi_keyvalue_atomics_increment(wasi_keyvalue_store_borrow_bucket(bucket), &key, 1, &visits,
                                       &error)) {
    wasi_keyvalue_store_error_free(&error);
  }
  wasi_keyvalue_store_bucket_drop_own(bucket);
  return visits;
}

// Sends a response of one text, which fits in one write.
static void reply(wasi_http_types_own_response_outparam_t out, uint16_t status, const char* text) {
  wasi_http_types_own_outgoing_response_t head =
      wasi_http_types_constructor_outgoing_response(wasi_http_types_constructor_fields());
  wasi_http_types_borrow_outgoing_response_t borrowed =
      wasi_http_types_borrow_outgoing_response(head);
  wasi_http_types_method_outgoing_response_set_status_code(borrowed, status);
  wasi_http_types_own_outgoing_body_t body;
  wasi_http_types_method_outgoing_response_body(borrowed, &body);
  wasi_http_types_result_own_outgoing_response_error_code_t result = {0};
  result.val.ok = head;
  wasi_http_types_static_response_outparam_set(out, &result);

  wasi_http_types_own_output_stream_t stream;
  wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body), &stream);
  guest_list_u8_t bytes = {(uint8_t*)text, strlen(text)};
  wasi_io_streams_stream_error_t gone;
  if (!wasi_io_streams_method_output_stream_blocking_write_and_flush(
          wasi_io_streams_borrow_output_stream(stream), &bytes, &gone)) {
    wasi_io_streams_stream_error_free(&gone);
  }
  wasi_io_streams_output_stream_drop_own(stream);
  wasi_http_types_error_code_t error;
  if (!wasi_http_types_static_outgoing_body_finish(body, NULL, &error)) {
    wasi_http_types_error_code_free(&error);
  }
}

void exports_wasi_http_incoming_handler_handle(
    exports_wasi_http_incoming_handler_own_incoming_request_t request,
    exports_wasi_http_incoming_handler_own_response_outparam_t out) {
  uint64_t visits = count_visit();
  char text[64];
  snprintf(text, sizeof text, "Hello, visitor %" PRIu64 "!\n", visits);
  reply(out, visits ? 200 : 500, visits ? text : "the counter is out of order\n");
  wasi_http_types_incoming_request_drop_own(request);
}
