#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/problems.h"
#include "app/table_reader.h"
#include "capabilities/secret_lookup.h"

namespace weft {

// The secrets that an operator's file may name: those of its [secrets], each with the driver that
// has it, and any other in the embedded store. No value is kept here: each is read when it is
// asked for.
//
// A value; the lookup outlives it.
class OperatorSecrets {
 public:
  // Nothing is found.
  OperatorSecrets() = default;
  OperatorSecrets(const SecretLookup* lookup, SecretLookup::Where where)
      : lookup_(lookup), where_(std::move(where)) {}

  void add(std::string name, DriverChoice choice) {
    choices_.insert_or_assign(std::move(name), std::move(choice));
  }
  // One that is wrong, which was told: nobody is to be told again.
  void add_wrong(std::string name) { wrong_.push_back(std::move(name)); }

  // May block, on a network too. A failure says why.
  Result<Secret> read(std::string_view name) const;
  // Whether reading it needs nothing but this machine.
  bool is_local(std::string_view name) const;
  // Whether [secrets] has it.
  bool contains(std::string_view name) const { return choices_.contains(name); }
  bool is_wrong(std::string_view name) const;
  std::vector<std::string_view> names() const;
  // What to write so that there is such a secret: "weft secret set NAME ...".
  std::string how_to_set(std::string_view name) const;

 private:
  const DriverChoice* choice(std::string_view name) const;

  const SecretLookup* lookup_ = nullptr;
  SecretLookup::Where where_ = {};
  std::map<std::string, DriverChoice, std::less<>> choices_;
  std::vector<std::string> wrong_;
};

}  // namespace weft
