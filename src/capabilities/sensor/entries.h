#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "capabilities/sensor/measurement.h"

namespace weft::sensor {

// One sensor in the operator's `sensors`: a name, and words KEY=VALUE behind it.
//
//   temperature: wave=sine offset=20 unit=Cel
//   door: wave=square, or several in one line with ; between them
struct Entry {
  std::string name;
  std::vector<std::pair<std::string, std::string>> words;

  // Null: it is not there.
  const std::string* find(std::string_view key) const;
  Result<double> number(std::string_view key, double otherwise) const;
};

// kInvalid for a name that is none or there twice, for a word whose key is none of `keys`, and
// where there are none or more than kSensorsMax.
Result<std::vector<Entry>> read_entries(std::string_view text,
                                        std::initializer_list<std::string_view> keys);

}  // namespace weft::sensor
