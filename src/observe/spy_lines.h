#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "observe/spy_queue.h"
#include "values/type.h"

namespace weft {

// What is shown of a value, as text.
inline constexpr std::size_t kSpiedTextMax = 1'000;
// Signatures that are kept parsed.
inline constexpr std::size_t kSpiedSignaturesMax = 1'000;

// Calls as lines of JSON. One thread.
class SpyLines {
 public:
  // One object and its end. Members are never changed, only added to.
  std::string line(const SpiedCall& call);

 private:
  const Signature* signature_of(const std::string& text);

  std::map<std::string, Signature, std::less<>> signatures_;
};

// Which calls somebody wants to see. What is empty does not matter.
struct SpyFilter {
  std::string app = {};
  std::string component = {};
  std::string interface = {};  // With its version or without.

  // From the query of a request: "component=cart&interface=acme:ml%2Finference".
  static SpyFilter of_query(std::string_view query);
  std::string query() const;
  bool takes(const SpiedCall& call) const;
};

// A line of the admin server as people read it, its time in UTC: "12:00:01.250 shop/cart ->
// keyvalue (embedded): wasi:keyvalue/store@0.2.0#open("a") -> ok(1) [0.012 ms]". Empty for a line
// that says nothing.
Result<std::string> spy_text(std::string_view line);

}  // namespace weft
