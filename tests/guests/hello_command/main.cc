// A command that says what it was given: `hello_command [exit CODE | env NAME | cat | clock | read
// FILE | write FILE TEXT] ...`, or a greeting and its arguments.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

int print_file(std::FILE* file) {
  char buffer[4096];
  while (auto count = std::fread(buffer, 1, sizeof buffer, file)) {
    std::fwrite(buffer, 1, count, stdout);
  }
  return 0;
}

int fail(const char* what) {
  std::perror(what);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "exit" && argc > 2) return std::atoi(argv[2]);
  if (verb == "abort") std::abort();
  if (verb == "cat") return print_file(stdin);
  if (verb == "env" && argc > 2) {
    const char* value = std::getenv(argv[2]);
    std::printf("%s\n", value ? value : "(not set)");
    return value ? 0 : 1;
  }
  if (verb == "read" && argc > 2) {
    std::FILE* file = std::fopen(argv[2], "r");
    return file ? print_file(file) : fail(argv[2]);
  }
  if (verb == "write" && argc > 3) {
    std::FILE* file = std::fopen(argv[2], "w");
    if (!file || std::fputs(argv[3], file) < 0 || std::fclose(file) != 0) return fail(argv[2]);
    return 0;
  }
  std::printf("hello from a command\n");
  for (int i = 1; i < argc; ++i) std::printf("argument %d: %s\n", i, argv[i]);
  return 0;
}
