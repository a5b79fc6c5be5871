// Serves the interface words (wit/words.wit), or, built with WEFT_OTHER, one of the same name whose
// types are others (other/words.wit).

#include <stdlib.h>
#include <string.h>

#include "guest.h"

#define EXPORT(name) exports_weft_test_words_words_##name

static uint32_t calls;

uint32_t EXPORT(calls)(void) {
  return ++calls;
}

void EXPORT(nothing)(void) {}

#ifdef WEFT_OTHER

uint32_t EXPORT(count)(guest_string_t* text) {
  uint32_t length = (uint32_t)text->len;
  guest_string_free(text);
  return length;
}

#else

enum { kTextMax = 100000, kWordsMax = 1000 };

static void add(EXPORT(list_entry_t) * all, const uint8_t* word, size_t length) {
  for (size_t i = 0; i < all->len; i++) {
    if (all->ptr[i].word.len == length && memcmp(all->ptr[i].word.ptr, word, length) == 0) {
      all->ptr[i].count++;
      return;
    }
  }
  if (all->len == kWordsMax) return;
  EXPORT(entry_t)* entry = &all->ptr[all->len++];
  entry->count = 1;
  entry->word.len = length;
  entry->word.ptr = malloc(length);
  memcpy(entry->word.ptr, word, length);
}

bool EXPORT(count)(guest_string_t* text, EXPORT(list_entry_t) * all, EXPORT(problem_t) * problem) {
  bool fits = text->len > 0 && text->len <= kTextMax;
  if (fits) {
    all->len = 0;
    all->ptr = malloc(kWordsMax * sizeof(*all->ptr));
    size_t begin = 0;
    for (size_t i = 0; i <= text->len; i++) {
      if (i < text->len && text->ptr[i] != ' ') continue;
      if (i > begin) add(all, text->ptr + begin, i - begin);
      begin = i + 1;
    }
  } else if (text->len == 0) {
    problem->tag = EXPORTS_WEFT_TEST_WORDS_WORDS_PROBLEM_EMPTY;
  } else {
    problem->tag = EXPORTS_WEFT_TEST_WORDS_WORDS_PROBLEM_TOO_LONG;
    problem->val.too_long = (uint32_t)text->len;
  }
  guest_string_free(text);
  return fits;
}

void EXPORT(long)(uint32_t bytes, guest_list_u8_t* all) {
  all->len = bytes;
  all->ptr = malloc(bytes + 1);
  memset(all->ptr, 'x', bytes);
}

void EXPORT(trap)(void) {
  __builtin_trap();
}
void EXPORT(spin)(void) {
  for (volatile uint32_t i = 0;; i++) {
  }
}

#endif
