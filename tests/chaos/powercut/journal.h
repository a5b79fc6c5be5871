#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

// What the preloaded shim wrote down, and the state of the files after a power cut at any record.
namespace weft::powercut {

// One thing that a watched process did, as powercut.c appends it.
struct Record {
  enum class Kind : std::uint32_t {
    kCreate = 1,   // the file `path` was made
    kWrite,        // `data` at offset `number` of `path`
    kTruncate,     // `path` to `number` bytes
    kFlush,        // what was done to `path` before record `number` is durable
    kFlushFolder,  // the names in `path` as they were before record `number` are durable
    kRename,       // `path` is called `data` now
    kUnlink,       // `path` is gone
    kMark,         // the process has promised `number`
    kWritten,      // the write in record `number` is durable: the file writes through
  };
  Kind kind;
  std::uint64_t number;
  std::string path;
  std::string data;
};

Result<std::vector<Record>> read_journal(const std::filesystem::path& file);

// How much of what was not flushed a cut leaves.
enum class Left : std::uint8_t {
  kNothing,  // only what was flushed
  kAll,      // everything, as after kill -9
  kSome,     // each sector of a write by chance, and a chance prefix of the names' changes
};

// The files as a cut after the first `count` records leaves them: path to contents.
//
// Folders themselves are taken to be durable. A sector of 512 bytes is written whole or not at all.
using Files = std::map<std::string, std::string>;
Files files_after_cut(std::span<const Record> records, Left left, std::mt19937_64& chance);

}  // namespace weft::powercut
