// What is called from outside: each function needs nothing but its arguments. Arguments are ours to
// free; results are freed after the call by the bindings.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

#define EXPORT(name) exports_test_values_shapes_##name

static const size_t kTextMax = 4096;

void EXPORT(echo)(EXPORT(shape_t) * value, EXPORT(shape_t) * ret) {
  *ret = *value;
}

void EXPORT(mirror)(EXPORT(point_t) * at, EXPORT(point_t) * ret) {
  *ret = *at;
  ret->x = at->y;
  ret->y = at->x;
}

void EXPORT(mix)(EXPORT(list_color_t) * colors, EXPORT(access_t) may,
                 EXPORT(tuple2_u32_access_t) * ret) {
  ret->f0 = 0;
  for (size_t i = 0; i < colors->len; i++) ret->f0 = ret->f0 * 10 + colors->ptr[i];
  ret->f1 = may ^ 7;
  EXPORT(list_color_free)(colors);
}

bool EXPORT(divide)(uint32_t a, uint32_t b, uint32_t* ret, guest_string_t* err) {
  if (b == 0) {
    guest_string_dup(err, "division by zero");
    return false;
  }
  *ret = a / b;
  return true;
}

// Of ASCII text.
bool EXPORT(letter)(uint8_t at, guest_string_t* text, uint32_t* ret) {
  if (!text) return false;
  bool there = at < text->len;
  if (there) *ret = text->ptr[at];
  guest_string_free(text);
  return there;
}

struct exports_test_values_shapes_brush_t {
  uint32_t width;
};

EXPORT(own_brush_t) EXPORT(constructor_brush)(uint32_t width) {
  EXPORT(brush_t)* brush = malloc(sizeof(*brush));
  brush->width = width;
  return EXPORT(brush_new)(brush);
}
void EXPORT(brush_destructor)(EXPORT(brush_t) * brush) {
  free(brush);
}
void EXPORT(paint)(EXPORT(own_brush_t) tool) {
  EXPORT(brush_drop_own)(tool);
}

uint32_t exports_guest_add(uint32_t a, uint32_t b) {
  return a + b;
}

void exports_guest_nothing(void) {}

bool exports_guest_find(guest_string_t* name, guest_string_t* ret) {
  char path[256];
  snprintf(path, sizeof(path), "%.*s", (int)name->len, (const char*)name->ptr);
  guest_string_free(name);
  const char* value = getenv(path);
  if (value) {
    guest_string_dup(ret, value);
    return true;
  }
  FILE* file = fopen(path, "r");
  if (!file) return false;
  char* text = malloc(kTextMax);
  size_t size = fread(text, 1, kTextMax, file);
  fclose(file);
  guest_string_dup_n(ret, text, size);
  free(text);
  return true;
}

void exports_guest_spin(void) {
  for (volatile uint32_t i = 0;; i++) {
  }
}

__attribute__((noinline)) void exports_guest_trap(void) {
  __builtin_trap();
}

void exports_guest_greet(void) {
  printf("hello from inside\n");
  fflush(stdout);
}
