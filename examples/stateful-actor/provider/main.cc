// The provider's process: its configuration, and what it serves.

#include <fmt/format.h>

#include <thread>

#include "provider/inference.h"
#include "weft/provider.h"

namespace {

using weft::Errc;
using weft::failure;
using weft::Result;

// A whole number of the configuration, in its bounds.
Result<std::uint64_t> number(const weft::provider::Setup& setup, std::string_view key,
                             std::uint64_t usual, std::uint64_t most) {
  double value = setup.number(key).value_or(static_cast<double>(usual));
  if (!(value >= 1 && value <= static_cast<double>(most))) {
    return failure(Errc::kInvalid, fmt::format("\"{}\" is {} in its configuration: 1 to {} may be",
                                               key, value, most));
  }
  return static_cast<std::uint64_t>(value);
}

Result<weft::provider::Interfaces> make(weft::provider::Setup& setup) {
  auto folder = setup.text("cache");
  if (!folder || folder->empty()) {
    return failure(Errc::kInvalid, "no \"cache\" in its configuration: a folder for the states");
  }
  constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40;
  TRY(std::uint64_t disk, number(setup, "disk", 1 << 30, kBytesMax));
  TRY(std::uint64_t memory, number(setup, "memory", 64 << 20, kBytesMax));
  TRY(std::uint64_t threads,
      number(setup, "threads", std::max(1U, std::thread::hardware_concurrency()), 256));
  TRY(std::uint64_t waiting, number(setup, "waiting", 64, 1024));
  TRY(example::StateFiles files, example::StateFiles::open(*std::move(folder), disk));

  namespace inference = example::inference;
  weft::provider::Interfaces served;
  served.add<inference::Binding>(
      inference::kName, inference::kFunctions,
      std::make_unique<example::Inference>(
          setup.loop(), setup.pool(),
          example::Inference::Options{
              .memory_max = memory, .threads = threads, .waiting_max = waiting},
          std::move(files)));
  return served;
}

}  // namespace

int main(int argc, char** argv) {
  return weft::provider::serve(argc, argv, make);
}
