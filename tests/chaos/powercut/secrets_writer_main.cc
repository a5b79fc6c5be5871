// The process whose writes of secrets are cut off: sets the secrets 0 to COUNT one after the other,
// each value its number, and reports each to the shim once it was acknowledged.
#include <dlfcn.h>
#include <fmt/core.h>

#include <cstdlib>

#include "capabilities/secrets/drivers/sealed_file.h"

int main(int count, char** arguments) {
  if (count != 3) {
    fmt::print(stderr, "usage: secrets_writer FOLDER COUNT\n");
    return 2;
  }
  auto* mark = reinterpret_cast<void (*)(std::uint64_t)>(dlsym(RTLD_DEFAULT, "powercut_mark"));
  weft::secrets::SealedFile file(arguments[1]);
  std::uint64_t end = std::strtoull(arguments[2], nullptr, 10);
  for (std::uint64_t n = 0; n < end; ++n) {
    auto done = file.set(std::to_string(n), weft::Secret(std::to_string(n)), 1);
    if (!done) {
      fmt::print(stderr, "{}\n", done.error().message());
      return 1;
    }
    if (mark != nullptr) mark(n);
  }
  return 0;
}
