#pragma once

#include <pwd.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "base/error.h"

// Servers that refuse to run as root, as child processes. For tests.
namespace weft::sql::pooled {

// Who they run as instead; null where this is not root.
const passwd* other_user();
// Starts it as that user. It ends with the test's process, however that ends.
pid_t spawn(const std::vector<std::string>& words, const std::string& output);
// Runs a program of theirs to its end.
Result<void> finish(const std::vector<std::string>& words, const std::string& output);
void end(pid_t& process, int signal);
std::string text_of(const std::string& file);

}  // namespace weft::sql::pooled
