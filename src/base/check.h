#pragma once

namespace weft {

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace weft

// Aborts with the place when a condition that only a bug of ours can break does not hold. Never on
// what a guest, a peer, a disk or an operator can cause.
#define CHECK(condition)                        \
  (__builtin_expect(!!(condition), 1) ? (void)0 \
                                      : ::weft::check_failed(#condition, __FILE__, __LINE__))
