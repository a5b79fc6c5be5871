#include "cli/secret.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <chrono>
#include <string_view>
#include <vector>

#include "app/environment.h"
#include "base/console.h"
#include "base/json_text.h"
#include "base/secret.h"
#include "base/shown_text.h"
#include "capabilities/secrets/drivers/sealed_file.h"
#include "capabilities/state_folder.h"
#include "cli/actions.h"
#include "cli/run_options.h"
#include "cli/standard_output.h"

namespace weft {

namespace {

using secrets::kValueBytesMax;
using secrets::SealedFile;

constexpr std::array<ActionOptions, 3> kActions{{
    {"set", "--state --on"},
    {"list", "--state --on --json"},
    {"remove", "--state --on"},
}};

// What a terminal sends for Ctrl-C where it makes no signal of it.
constexpr char kInterrupt = '\x03';

// Of a line that is typed: Linux drops what is more.
constexpr std::size_t kTypedMax = 4095;

// A terminal that shows nothing of what is typed, until the object goes. Ctrl-C comes as a
// character, so that nothing ends the process while it is like that.
class SilentTerminal {
 public:
  explicit SilentTerminal(int fd) : fd_(fd), was_silent_(::tcgetattr(fd, &before_) == 0) {
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
    silent.c_lflag |= ECHONL;
    if (was_silent_) was_silent_ = ::tcsetattr(fd_, TCSAFLUSH, &silent) == 0;
  }
  SilentTerminal(const SilentTerminal&) = delete;
  ~SilentTerminal() {
    if (was_silent_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
  }
  bool silent() const { return was_silent_; }

 private:
  const int fd_;
  termios before_ = {};
  bool was_silent_;
};

enum class Until : unsigned char { kEnd, kLine };

// Of standard input, which may be as long as it likes.
Result<Secret> read_input(Until until) {
  std::string text;
  // Growing would leave copies behind; one more byte tells what is too long, another is a newline.
  text.resize(kValueBytesMax + 2);
  std::size_t size = 0;
  while (size < text.size()) {
    ssize_t count = ::read(STDIN_FILENO, text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure("reading the value from standard input", errno);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
    if (until == Until::kLine && text[size - 1] == '\n') break;
  }
  text.resize(size);
  secrets::drop_final_newline(text);
  return Secret(std::move(text));
}

Result<Secret> read_value(const std::string& name) {
  if (::isatty(STDIN_FILENO) == 0) return read_input(Until::kEnd);
  SilentTerminal terminal(STDIN_FILENO);
  if (!terminal.silent()) {
    return failure(Errc::kIo, "this terminal would show the value: give it on standard input");
  }
  write_to_stderr(fmt::format("The value of {}, which is not shown: ", name));
  TRY(Secret value, read_input(Until::kLine));
  if (value.reveal().find(kInterrupt) != std::string_view::npos) {
    return failure(Errc::kCancelled, "nothing was set");
  }
  if (value.reveal().size() >= kTypedMax) {
    return failure(Errc::kLimit, fmt::format("a terminal cuts off what has {} characters: nothing "
                                             "was set; give it on standard input",
                                             kTypedMax));
  }
  if (value.reveal().empty()) {
    return failure(Errc::kInvalid,
                   "nothing was typed, and nothing was set: an empty value comes from standard "
                   "input alone");
  }
  return value;
}

std::int64_t now() {
  auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

std::string time_text(std::int64_t seconds) {
  // Years of four digits.
  constexpr std::int64_t kTimeMax = 253'402'300'799;
  if (seconds < 0 || seconds > kTimeMax) return "?";
  return fmt::format("{:%Y-%m-%d %H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

Result<int> set(const SecretWords& words, SealedFile& file, const std::string& state) {
  TRY_VOID(secrets::check_name(words.name));
  TRY(Secret value, read_value(words.name));
  TRY_VOID(secrets::check_value(words.name, value.reveal()));
  TRY_VOID(StateFolder::prepare(state));
  TRY(bool is_new, file.set(words.name, std::move(value), now()));
  say(fmt::format("weft: {} {} in {}", is_new ? "set" : "replaced", without_controls(words.name),
                  file.folder().string()));
  return 0;
}

Result<int> remove(const SecretWords& words, SealedFile& file) {
  TRY(bool removed, file.remove(words.name));
  if (!removed) {
    return failure(Errc::kNotFound,
                   fmt::format("there is no secret {} in {}", words.name, file.folder().string()));
  }
  say(fmt::format("weft: removed {} from {}", without_controls(words.name),
                  file.folder().string()));
  return 0;
}

Result<int> list(const SecretWords& words, SealedFile& file) {
  TRY(auto listed, file.list());
  std::string out;
  if (words.json) {
    out = "{\"secrets\":[";
    for (const SealedFile::Listed& each : listed) {
      out += out.ends_with('[') ? "{\"name\":" : ",{\"name\":";
      append_json_string(out, each.name);
      append_json_member(out, "created", time_text(each.created));
      append_json_member(out, "changed", time_text(each.changed));
      out += '}';
    }
    out += "]}\n";
  } else if (!listed.empty()) {
    std::size_t width = std::string_view("NAME").size();
    for (const SealedFile::Listed& each : listed) width = std::max(width, each.name.size());
    out = fmt::format("{:<{}}  {:<20}  {}\n", "NAME", width, "CREATED", "CHANGED");
    for (const SealedFile::Listed& each : listed) {
      out += fmt::format("{:<{}}  {:<20}  {}\n", without_controls(each.name), width,
                         time_text(each.created), time_text(each.changed));
    }
  }
  fmt::print("{}", out);
  TRY_VOID(finish_output());
  return 0;
}

// Where the store is: as the command line says, or the operator's file, or where it always is.
Result<std::string> state_folder(const SecretWords& words) {
  if (!words.state.empty()) return words.state;
  if (!words.on.empty()) {
    TRY(std::string folder, Environment::state_folder_in(words.on, process_variables()));
    if (!folder.empty()) return folder;
  }
  std::string folder = default_state_folder();
  if (!folder.empty()) return folder;
  return failure(Errc::kInvalid,
                 "there is no place for the state folder: neither XDG_STATE_HOME nor HOME is set "
                 "to an absolute path. Say where it is to be with --state DIR");
}

}  // namespace

void add_secret_options(CLI::App& verb, SecretWords& words) {
  verb.add_option("ACTION", words.action, "set, list or remove")->required();
  verb.add_option("NAME", words.name, "The secret that is set or removed");
  verb.add_option("--state", words.state, "The state folder that has the store, as for weft run")
      ->type_name("DIR");
  verb.add_option("--on", words.on, "The operator's file, for where it says the state folder is")
      ->type_name("FILE");
  verb.add_flag("--json", words.json, "With list: print one JSON object");
  take_by_action(verb, kActions, [&words] { return words.action; });
  verb.footer(
      "set takes the value from standard input (less one newline at its end), or asks for it and "
      "shows nothing of it: weft secret set payment-key < key.txt. A host that runs sees it the "
      "next time a component gets the secret. list prints names and times, never values. The store "
      "is encrypted; its key lies beside it, readable by its owner alone.\n"
      "Exit code: 0; 1 when it could not be done.");
}

Result<int> run_secret(const SecretWords& words) {
  bool listing = words.action == "list";
  if (listing && !words.name.empty()) {
    return failure(Errc::kInvalid, fmt::format("weft secret list takes no name, but \"{}\" "
                                               "follows it: values are never shown",
                                               words.name));
  }
  if (!listing && words.name.empty()) {
    return failure(Errc::kInvalid, fmt::format("weft secret {} needs the name of a secret: weft "
                                               "secret {} NAME",
                                               words.action, words.action));
  }
  TRY(std::string state, state_folder(words));
  SealedFile file(std::filesystem::path(state) / secrets::kStateFolder);
  if (words.action == "set") return set(words, file, state);
  return listing ? list(words, file) : remove(words, file);
}

}  // namespace weft
