// Says what a node has free, in a format of its own: one line of key=value, which the program below
// or any script reads. Nobody but this program decides what is looked at, and how it is written.
#include <cstdint>
#include <cstdio>

#include "guest.h"

namespace {

using Error = weft_node_resources_error_t;

// What was not told has a word in its place: the group may not ask, or cannot pay.
const char* word_of(Error error) {
  return error == WEFT_NODE_RESOURCES_ERROR_DENIED ? "denied" : "limit";
}

void print(const char* key, bool told, unsigned long long value, Error error) {
  if (told) {
    std::printf("%s=%llu ", key, value);
  } else {
    std::printf("%s=%s ", key, word_of(error));
  }
}

}  // namespace

int main(int, char**) {
  Error error{};
  weft_node_resources_memory_t memory{};
  bool told = weft_node_resources_memory_bytes(&memory, &error);
  print("memory-free", told, memory.free, error);
  print("memory-total", told, memory.total, error);
  std::uint32_t processors = 0;
  told = weft_node_resources_processors(&processors, &error);
  print("processors", told, processors, error);
  double load = 0;
  told = weft_node_resources_load(&load, &error);
  print("load-percent", told, static_cast<unsigned long long>(load * 100), error);
  weft_node_resources_quota_t left{};
  told = weft_node_resources_quota_left(&left, &error);
  print("cpu-left-ms", told, left.cpu_ns / 1'000'000, error);
  print("runs-left", told, left.runs, error);
  std::printf("\n");
  return 0;
}
