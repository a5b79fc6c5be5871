#include "cli/key.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <filesystem>
#include <string_view>

#include "base/console.h"
#include "base/json_text.h"
#include "cli/actions.h"
#include "cli/standard_output.h"
#include "node/object/key_file.h"
#include "node/policy/groups.h"

namespace weft {
namespace {

namespace fs = std::filesystem;

constexpr std::array<ActionOptions, 3> kOptions{{
    {"new", ""},
    {"show", "--json"},
    {"trust", "--as"},
}};

// Of a key that has no file's name: enough of it to tell it from others.
constexpr std::size_t kNameDigits = 16;

bool is_key_text(std::string_view text) {
  return text.size() == 2 * node::PublicKey::kBytes &&
         text.find_first_not_of("0123456789abcdef") == text.npos;
}

Result<int> make(const KeyWords& words) {
  const std::string& file = words.words[0];
  node::SigningKey key = node::SigningKey::random();
  TRY_VOID(node::write_new_key_file(file, key));
  say(fmt::format("weft: made {}, a private key that only you may read", file));
  fmt::print("{}\n", key.public_key().text());
  TRY_VOID(finish_output());
  return 0;
}

Result<int> show(const KeyWords& words) {
  const std::string& file = words.words[0];
  TRY(node::NamedKey named, key_called(file));
  std::string line = node::openssh_line(named.key, named.comment);
  std::string pem = node::public_key_pem(named.key);
  if (words.json) {
    std::string out = "{\"key\":";
    append_json_string(out, named.key.text());
    append_json_member(out, "openssh", line);
    append_json_member(out, "pem", pem);
    fmt::print("{}}}\n", out);
  } else {
    fmt::print("{}\n{}\n{}", named.key.text(), line, pem);
  }
  TRY_VOID(finish_output());
  return 0;
}

// The name of a key in its group: as it was said, or of its file.
std::string name_of(const KeyWords& words, const node::PublicKey& key) {
  if (!words.as.empty()) return words.as;
  if (is_key_text(words.words[2])) return key.text().substr(0, kNameDigits);
  return fs::path(words.words[2]).stem().string();
}

Result<int> trust(const KeyWords& words) {
  const std::string& group = words.words[1];
  TRY(node::NamedKey named, key_called(words.words[2]));
  TRY_VOID(node::check_groups_folder(words.words[0], group));
  TRY(fs::path path, node::trust_key(words.words[0], group, name_of(words, named.key), named.key));
  say(fmt::format("weft: {} is in group {}: {}; `weft node reload` has a running node read it",
                  named.key.text(), group, path.string()));
  return 0;
}

struct ActionForm {
  std::string_view name;
  std::size_t words;
  std::string_view usage;
  Result<int> (*run)(const KeyWords&);
};
constexpr std::array kActions{
    ActionForm{"new", 1, "weft key new FILE", make},
    ActionForm{"show", 1, "weft key show FILE", show},
    ActionForm{"trust", 3, "weft key trust GROUPS GROUP FILE|KEY", trust},
};

}  // namespace

Result<node::NamedKey> key_called(const std::string& word) {
  std::error_code unknown;
  if (!is_key_text(word) || fs::exists(word, unknown)) return node::read_any_key_file(word);
  TRY(auto key, node::PublicKey::parse(word));
  return node::NamedKey{.key = key};
}

void add_key_options(CLI::App& verb, KeyWords& words) {
  verb.add_option("ACTION", words.action, "new, show or trust")->required();
  verb.add_option(
      "WORD", words.words,
      "new and show: the key's file. trust: the folder of the groups, the group, and the "
      "key: a file or its 64 digits");
  verb.add_option("--as", words.as, "With trust: what the key is called, and its file")
      ->type_name("NAME");
  verb.add_flag("--json", words.json, "With show: print one JSON object");
  take_by_action(verb, kOptions, [&words] { return words.action; });
  verb.footer(
      "weft key new FILE makes a private key (Ed25519, PEM, mode 0600), and prints the public one; "
      "a "
      "file that is there stays. weft key show FILE prints the public key of a private or a public "
      "file in hexadecimal digits, as a line of OpenSSH's and in PEM. weft key trust GROUPS GROUP "
      "FILE adds the public key to the folder of a group, DIR/groups of a node's folder DIR: a "
      "node that reads it lets the key do "
      "what "
      "the group may. Keys of ssh-keygen -t ed25519 and of openssl are read too.\n"
      "Exit code: 0; 1 when it could not be done.");
}

Result<int> run_key(const KeyWords& words) {
  for (const ActionForm& each : kActions) {
    if (each.name != words.action) continue;
    if (words.words.size() != each.words) {
      return failure(
          Errc::kInvalid,
          fmt::format("weft key {} takes {} {}, and {} follow: {}", each.name, each.words,
                      each.words == 1 ? "word" : "words", words.words.size(), each.usage));
    }
    return each.run(words);
  }
  return failure(Errc::kInternal, "an action that is none");
}

}  // namespace weft
