// Each export gives what the import of the same name answers. Arguments of an export are ours to
// free; results are freed after the call by the bindings.

#include "guest.h"

#define IMPORT(name) weft_test_bridge_echo_##name
#define EXPORT(name) exports_weft_test_bridge_echo_##name

void EXPORT(nothing)(void) {
  IMPORT(nothing)();
}
bool EXPORT(truth)(bool value) {
  return IMPORT(truth)(value);
}
uint32_t EXPORT(number)(uint32_t value) {
  return IMPORT(number)(value);
}
int64_t EXPORT(long)(int64_t value) {
  return IMPORT(long)(value);
}
double EXPORT(real)(double value) {
  return IMPORT(real)(value);
}
uint32_t EXPORT(letter)(uint32_t value) {
  return IMPORT(letter)(value);
}

void EXPORT(text)(guest_string_t* value, guest_string_t* ret) {
  IMPORT(text)(value, ret);
  guest_string_free(value);
}

void EXPORT(bytes)(guest_list_u8_t* value, guest_list_u8_t* ret) {
  IMPORT(bytes)(value, ret);
  guest_list_u8_free(value);
}

void EXPORT(words)(guest_list_string_t* value, guest_list_string_t* ret) {
  IMPORT(words)(value, ret);
  guest_list_string_free(value);
}

void EXPORT(a_point)(EXPORT(point_t) * value, EXPORT(point_t) * ret) {
  IMPORT(a_point)(value, ret);
  EXPORT(point_free)(value);
}

void EXPORT(a_shape)(EXPORT(shape_t) * value, EXPORT(shape_t) * ret) {
  IMPORT(a_shape)(value, ret);
  EXPORT(shape_free)(value);
}

EXPORT(color_t) EXPORT(a_color)(EXPORT(color_t) value) {
  return IMPORT(a_color)(value);
}
EXPORT(access_t) EXPORT(an_access)(EXPORT(access_t) value) {
  return IMPORT(an_access)(value);
}

bool EXPORT(maybe)(guest_string_t* value, guest_string_t* ret) {
  bool some = IMPORT(maybe)(value, ret);
  if (value) guest_string_free(value);
  return some;
}

bool EXPORT(outcome)(EXPORT(result_u32_failure_t) * value, uint32_t* ret, EXPORT(failure_t) * err) {
  // Both directions have a type of their own for the same layout.
  bool ok = IMPORT(outcome)((IMPORT(result_u32_failure_t)*)value, ret, err);
  EXPORT(result_u32_failure_free)(value);
  return ok;
}

void EXPORT(pair)(guest_tuple2_u8_string_t* value, guest_tuple2_u8_string_t* ret) {
  IMPORT(pair)(value, ret);
  guest_tuple2_u8_string_free(value);
}

void EXPORT(many)(uint8_t a, uint16_t b, uint32_t c, uint64_t d, int8_t e, int16_t f, int32_t g,
                  int64_t h, float i, double j, guest_string_t* k, guest_string_t* l,
                  guest_list_u8_t* m, uint32_t n, uint64_t o, guest_string_t* ret) {
  IMPORT(many)(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, ret);
  guest_string_free(k);
  guest_string_free(l);
  guest_list_u8_free(m);
}

uint32_t exports_guest_count(uint32_t first, uint32_t second) {
  weft_test_bridge_counters_own_counter_t one =
      weft_test_bridge_counters_constructor_counter(first);
  weft_test_bridge_counters_own_counter_t two = weft_test_bridge_counters_constructor_counter(0);
  weft_test_bridge_counters_method_counter_add(weft_test_bridge_counters_borrow_counter(two),
                                               second);
  one = weft_test_bridge_counters_static_counter_merge(
      one, weft_test_bridge_counters_borrow_counter(two));
  uint32_t sum = weft_test_bridge_counters_method_counter_add(
      weft_test_bridge_counters_borrow_counter(one), 0);
  weft_test_bridge_counters_counter_drop_own(two);
  weft_test_bridge_counters_counter_drop_own(one);
  return sum;
}
