// Serves tests/guests/links/wit to other components.

#include <stdlib.h>
#include <string.h>

#include "guest.h"

#define EXPORT(name) exports_weft_test_links_ops_##name

struct EXPORT(counter_t) {
  uint32_t next;
};

static uint32_t alive;
static uint32_t calls;

static EXPORT(own_counter_t) new_counter(uint32_t start) {
  EXPORT(counter_t)* counter = malloc(sizeof(*counter));
  counter->next = start;
  alive++;
  return EXPORT(counter_new)(counter);
}

EXPORT(own_counter_t) EXPORT(constructor_counter)(uint32_t start) {
  return new_counter(start);
}

uint32_t EXPORT(method_counter_next)(EXPORT(borrow_counter_t) self) {
  return self->next++;
}

void EXPORT(counter_destructor)(EXPORT(counter_t) * counter) {
  alive--;
  free(counter);
}

EXPORT(own_counter_t) EXPORT(sum)(EXPORT(own_counter_t) a, EXPORT(borrow_counter_t) b) {
  uint32_t start = EXPORT(counter_rep)(a)->next + b->next;
  EXPORT(counter_drop_own)(a);
  return new_counter(start);
}

bool EXPORT(add)(EXPORT(point_t) * a, EXPORT(point_t) * b, EXPORT(point_t) * sum,
                 EXPORT(problem_t) * problem) {
  bool fits = a->x + b->x < 1000;
  if (fits) {
    sum->x = a->x + b->x;
    sum->y = a->y + b->y;
    sum->name.len = a->name.len + b->name.len;
    sum->name.ptr = malloc(sum->name.len + 1);
    memcpy(sum->name.ptr, a->name.ptr, a->name.len);
    memcpy(sum->name.ptr + a->name.len, b->name.ptr, b->name.len);
  } else {
    problem->tag = EXPORTS_WEFT_TEST_LINKS_OPS_PROBLEM_TOO_BIG;
    problem->val.too_big = a->x + b->x;
  }
  EXPORT(point_free)(a);
  EXPORT(point_free)(b);
  return fits;
}

uint32_t EXPORT(calls)(void) {
  return ++calls;
}
uint32_t EXPORT(alive)(void) {
  return alive;
}

void EXPORT(trap)(void) {
  __builtin_trap();
}
void EXPORT(spin)(void) {
  for (volatile uint32_t i = 0;; i++) {
  }
}
