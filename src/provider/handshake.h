#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/secret.h"

namespace weft::provider {

// A function that a provider serves. Its place, over all interfaces, is its number on the wire.
struct OfferedFunction {
  std::string name;
  std::string signature;
  friend bool operator==(const OfferedFunction&, const OfferedFunction&) = default;
};
struct OfferedInterface {
  std::string name;
  std::vector<OfferedFunction> functions;
  friend bool operator==(const OfferedInterface&, const OfferedInterface&) = default;
};
using Offer = std::vector<OfferedInterface>;

// What weft tells a provider.
struct SetupMessage {
  std::string token;
  std::string app;
  std::string name;
  std::string configuration_json;  // An object, or empty: none.
  std::vector<std::pair<std::string, Secret>> secrets;
};

// The three messages as JSON, and back. What is read is anybody's.
std::string hello_text(std::string_view token);
Result<std::string> token_of_hello(std::string_view text);
Secret setup_text(const SetupMessage& setup);
Result<SetupMessage> read_setup(std::string_view text);
std::string ready_text(const Offer& offer);
// Fails also where a signature does not read, or a function is there twice.
Result<Offer> read_ready(std::string_view text);

// Says how two offers differ, for a person.
std::string difference(const Offer& before, const Offer& now);

// Thirty-two hexadecimal digits that nobody guesses.
std::string random_token();

}  // namespace weft::provider
