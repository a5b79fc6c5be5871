// Copies of large blocks in pieces that the C library does not hand to `rep movsb`, for all that is
// linked into weft: C++, the engine, and the memory.copy of guests.
//
// On some processors that instruction takes three to ten times as long, depending on how source and
// target lie to each other within a page (base/buffer.h does the same for its own). The linker puts
// these functions in the place of the library's (--wrap), which they call.
#include <cstddef>
#include <cstdint>

extern "C" {

// NOLINTBEGIN(bugprone-reserved-identifier): the names are the linker's.
void* __real_memcpy(void* to, const void* from, std::size_t count);
void* __real_memmove(void* to, const void* from, std::size_t count);

void* __wrap_memcpy(void* to, const void* from, std::size_t count) {
  constexpr std::size_t kPiece = 2048;
  auto* target = static_cast<std::uint8_t*>(to);
  const auto* source = static_cast<const std::uint8_t*>(from);
  while (count > kPiece) [[unlikely]] {
    __real_memcpy(target, source, kPiece);
    target += kPiece;
    source += kPiece;
    count -= kPiece;
  }
  __real_memcpy(target, source, count);
  return to;
}

// Blocks that overlap are the library's own business.
void* __wrap_memmove(void* to, const void* from, std::size_t count) {
  auto target = reinterpret_cast<std::uintptr_t>(to);
  auto source = reinterpret_cast<std::uintptr_t>(from);
  std::uintptr_t apart = target > source ? target - source : source - target;
  if (apart < count) return __real_memmove(to, from, count);
  return __wrap_memcpy(to, from, count);
}
// NOLINTEND(bugprone-reserved-identifier)

}  // extern "C"
