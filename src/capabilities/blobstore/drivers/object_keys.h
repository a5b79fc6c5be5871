#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "capabilities/blobstore/container.h"

namespace weft::blobstore {

// How containers and objects are called in a store that has one long list of names with slashes.
//
// A container is a prefix. An object's key is the prefix and its name, where such stores take that
// name as it is. Others (control characters, segments like `..`, too long ones) are special: they
// are below `!weft/`, spelled so that their order is that of the names. What is longer than
// kSpelledMax even so ends with a hash; its name is then kept beside the object by the driver.
class ObjectKeys {
 public:
  static constexpr std::size_t kKeyBytesMax = 1024;
  static constexpr std::size_t kSpelledMax = 600;
  static constexpr std::string_view kReserved = "!weft";

  // Whether a store takes a name that others take: it may have rules of its own.
  using Takes = bool (*)(std::string_view name);

  explicit ObjectKeys(std::string prefix, Takes takes = nullptr)
      : prefix_(std::move(prefix)), takes_(takes) {}

  struct Key {
    std::string text;
    bool hashed = false;  // The name does not follow from the key.
  };
  Key of(std::string_view name) const;

  const std::string& prefix() const { return prefix_; }
  // Stands for the container itself.
  std::string marker() const { return prefix_ + std::string(kReserved); }
  // What is in it: something else each time, so that its etag is another too.
  static std::string new_marker();
  // Below which special keys are, and what comes behind all of them.
  std::string special() const { return marker() + "/"; }
  std::string behind_special() const { return special() + "\x7f"; }
  // Everything of weft's own: the marker and the special keys.
  bool reserved(std::string_view key) const {
    return key.substr(prefix_.size()).starts_with(kReserved);
  }

  // Of a key that is not reserved.
  std::string name_of(std::string_view key) const {
    return std::string(key.substr(prefix_.size()));
  }
  // What a special key spells; the whole name where that is not hashed.
  struct Spelled {
    std::string text;
    bool hashed = false;
  };
  std::optional<Spelled> spelled(std::string_view key) const;
  static std::optional<std::string> unspelled(std::string_view text);
  // The key behind which the special names after `name` are found, those that are hashed together
  // with it included.
  std::string special_after(std::string_view name) const;

 private:
  static bool plain(std::string_view name);
  std::string prefix_;
  Takes takes_;  // Null: it has no rules of its own.
};

// Where a container is in a store that several apps share: `APP/NAME/`.
std::string container_prefix(const ContainerName& name);

}  // namespace weft::blobstore
