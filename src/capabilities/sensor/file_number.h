#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace weft::sensor {

// A file of the kernel's is a line or a page.
inline constexpr std::size_t kKernelFileBytesMax = 256 << 10;

// What is in a file of the kernel's, without the newline at its end. kNotFound, or kUnavailable: it
// is there and cannot be read now.
Result<std::string> kernel_text(const std::string& path);
// The same as a number; kUnavailable where it is none.
Result<double> kernel_number(const std::string& path);
// A number at the beginning of a text; nothing else may follow but blanks.
Result<double> number_of(std::string_view text, std::string_view what);

}  // namespace weft::sensor
