#include "capabilities/sql/drivers/pooled/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>

#include "base/check.h"

namespace weft::sql::pooled {

const passwd* other_user() {
  if (getuid() != 0) return nullptr;
  const passwd* user = getpwnam("nobody");
  CHECK(user != nullptr);
  return user;
}

pid_t spawn(const std::vector<std::string>& words, const std::string& output) {
  std::vector<char*> arguments;
  for (const auto& each : words) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  const passwd* user = other_user();
  int out = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  CHECK(out >= 0);
  pid_t child = fork();
  if (child == 0) {
    dup2(out, 1);
    dup2(out, 2);
    if (user != nullptr && (setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)) _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  close(out);
  return child;
}

Result<void> finish(const std::vector<std::string>& words, const std::string& output) {
  int status = 0;
  pid_t child = spawn(words, output);
  CHECK(waitpid(child, &status, 0) == child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return failure(Errc::kUnavailable, words[0] + " failed: " + text_of(output));
}

void end(pid_t& process, int signal) {
  if (process <= 0) return;
  kill(process, signal);
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  process = -1;
}

std::string text_of(const std::string& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace weft::sql::pooled
