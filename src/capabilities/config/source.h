#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace weft::remote::etcd {
struct Settings;
}

// What a driver of wasi:config implements.
namespace weft::config {

inline constexpr std::size_t kKeyBytesMax = 1024;
inline constexpr std::size_t kValueBytesMax = 64 << 10;
// Of one file, or of all in a folder together.
inline constexpr std::size_t kSourceBytesMax = 1 << 20;
inline constexpr std::size_t kSourceKeysMax = 10'000;

using Values = std::map<std::string, std::string, std::less<>>;
// One moment's values; null: none yet. Shared by those who read while the next are put in place.
using ValuesNow = std::shared_ptr<const Values>;

// Where values come from: one for the process, asked by every loop.
class Source {
 public:
  virtual ~Source() = default;
  // Reads the values for the first time, on the thread that loads components. Fails where they
  // cannot be read: the message says what is wrong, and shows no value.
  virtual Result<void> open() = 0;
  // Reads them again where they have changed. Where that fails the ones from before stay, and the
  // log says so once. On a thread of its own, every kLookEvery.
  virtual void look() {}
  // What a key has now. From any thread, without waiting.
  virtual std::optional<std::string> get(std::string_view key) const = 0;
};

// The values of a file's text: tables in each other are keys with dots, numbers and flags are text,
// a list is JSON. A message shows no value.
Result<Values> parse_json(std::string_view text);
Result<Values> parse_toml(std::string_view text);

// `file`: a file of JSON or TOML, as its name ends, or a folder with one file a key.
std::unique_ptr<Source> file_source(std::string path);

using Variables = std::function<std::optional<std::string>(std::string_view name)>;
// `environment`: weft's environment variables. A key is the variable of its name in capitals, `_`
// for what is no letter, after the prefix.
std::unique_ptr<Source> environment_source(std::string prefix, Variables variables);

// `etcd`: the keys that begin with `prefix`, without it. Watched: a change is there when etcd has
// told it.
std::unique_ptr<Source> etcd_source(remote::etcd::Settings settings, std::string prefix);

}  // namespace weft::config
