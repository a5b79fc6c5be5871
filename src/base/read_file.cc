#include "base/read_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"

namespace weft {

Result<std::string> read_file(const std::string& path, std::size_t most) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return system_failure("it cannot be read", errno);
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return system_failure("it cannot be read", errno);
  if (S_ISDIR(info.st_mode)) return failure(Errc::kInvalid, "it is a folder");
  if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode)) {
    return failure(Errc::kInvalid, "it is neither a file nor a pipe");
  }
  std::string text;
  constexpr std::size_t kStep = 64 * 1024;
  for (;;) {
    std::size_t before = text.size();
    text.resize(before + kStep);
    ssize_t count = ::read(file.get(), text.data() + before, kStep);
    int problem = count < 0 ? errno : 0;
    text.resize(before + static_cast<std::size_t>(count > 0 ? count : 0));
    if (text.size() > most) {
      return failure(Errc::kLimit, fmt::format("it has more than {} bytes", most));
    }
    if (count == 0) return text;
    if (count > 0 || problem == EINTR) continue;
    if (problem != EAGAIN) return system_failure("it cannot be read", problem);
    pollfd wait{.fd = file.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, kPipePatienceMs) == 0) {
      return failure(Errc::kTimeout, "it is a pipe that nobody writes to");
    }
  }
}

}  // namespace weft
