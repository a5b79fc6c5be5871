#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weft::sql::postgres {

// Texts that one connection remembers, and the size beyond which it does not.
inline constexpr std::size_t kRememberedMax = 256;
inline constexpr std::size_t kRememberedBytesMax = 16 * 1024;

// Which statements a connection has prepared. The first time a statement goes as it is, the second
// time it is prepared: those that come once cost nothing.
class Prepared {
 public:
  struct Entry {
    std::string name = {};  // At the server; empty: not prepared.
    std::uint64_t used = 0;
    bool seen = false;  // Came before.
  };

  // The statement's entry, made where it has none; null for one that is not remembered. Valid until
  // the next call. The key is the text and the types of its parameters.
  Entry* find(const std::string& key);
  std::string new_name() { return "w" + std::to_string(++names_); }
  // No longer prepared: the server drops it later.
  void forget(Entry& entry);

  // Names that the server may drop, once.
  std::vector<std::string> take_dropped() { return std::exchange(dropped_, {}); }

 private:
  void make_room();

  std::unordered_map<std::string, Entry> entries_;
  std::vector<std::string> dropped_;  // Since the last one was prepared.
  std::uint64_t uses_ = 0;
  std::uint64_t names_ = 0;
};

}  // namespace weft::sql::postgres
