// Serves the interface words (tests/guests/words/wit) by what somebody else serves: what it is
// asked, it asks.

#include <string.h>

#include "guest.h"

#define EXPORT(name) exports_weft_test_words_words_##name
#define IMPORT(name) weft_test_words_words_##name

uint32_t EXPORT(calls)(void) {
  return IMPORT(calls)();
}

void EXPORT(nothing)(void) {
  IMPORT(nothing)();
}

// The types are the same, by two names.
_Static_assert(sizeof(EXPORT(list_entry_t)) == sizeof(IMPORT(list_entry_t)), "");
_Static_assert(sizeof(EXPORT(problem_t)) == sizeof(IMPORT(problem_t)), "");

bool EXPORT(count)(guest_string_t* text, EXPORT(list_entry_t) * all, EXPORT(problem_t) * problem) {
  IMPORT(list_entry_t) told;
  IMPORT(problem_t) why;
  bool fits = IMPORT(count)(text, &told, &why);
  if (fits) {
    memcpy(all, &told, sizeof told);
  } else {
    memcpy(problem, &why, sizeof why);
  }
  guest_string_free(text);
  return fits;
}

void EXPORT(long)(uint32_t bytes, guest_list_u8_t* all) {
  IMPORT(long)(bytes, all);
}

void EXPORT(trap)(void) {
  IMPORT(trap)();
}

void EXPORT(spin)(void) {
  IMPORT(spin)();
}
