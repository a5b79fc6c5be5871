#include "cli/messages.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <charconv>
#include <utility>

#include "base/console.h"
#include "base/json_string.h"
#include "base/shown_text.h"
#include "capabilities/messaging/message.h"
#include "cli/actions.h"
#include "cli/admin_question.h"
#include "cli/admin_url.h"
#include "cli/standard_output.h"
#include "remote/base64.h"

namespace weft {
namespace {

namespace json = boost::json;

constexpr std::chrono::minutes kAnswerMax{5};
// Of a message's data: a call in base64 with what is beside it.
constexpr std::size_t kPublishedMax = (kAdminCallBytesMax - (std::size_t{64} << 10)) / 4 * 3;
constexpr std::array<ActionOptions, 6> kActions{{
    {"tail", "--at --count --json"},
    {"publish", "--at --meta --json"},
    {"dead", "--at --group --bodies --json"},
    {"replay", "--at --all --json"},
    {"groups", "--at --json"},
    {"forget", "--at --group --json"},
}};
// Of a message's data on a line for a person.
constexpr std::size_t kShownMax = 200;

std::string_view view(const json::value& value) {
  if (!value.is_string()) return {};
  return {value.get_string().data(), value.get_string().size()};
}

std::string_view member(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains({name.data(), name.size()});
  return found == nullptr ? std::string_view() : view(*found);
}

std::uint64_t number(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains({name.data(), name.size()});
  boost::system::error_code problem;
  return found == nullptr ? 0 : found->to_number<std::uint64_t>(problem);
}

bool is_true(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains({name.data(), name.size()});
  return found != nullptr && found->is_bool() && found->get_bool();
}

Result<json::object> object_of(std::string_view written) {
  boost::system::error_code problem;
  json::value value = json::parse({written.data(), written.size()}, problem);
  if (!problem && value.is_object()) return std::move(value.get_object());
  return failure(Errc::kCorrupt,
                 "the host answers nothing that is understood here: is it a weft "
                 "of this version?");
}

Result<std::string> ask(const MessagesWords& words, std::chrono::milliseconds patience,
                        const json::object& arguments, const OnAdminLine& on_line = {}) {
  TRY(std::string url, admin_url(words.at, "/api/call"));
  AdminCall call{.target = words.where,
                 .function = words.what,
                 .arguments = json::serialize(arguments),
                 .time = patience,
                 .capability = "messaging"};
  return ask_admin(url, call, patience, on_line);
}

// Data as a person reads it: one line, at most so much, and nothing that a terminal would obey.
std::string shown(std::string_view base64) {
  auto data = remote::from_base64(base64);
  if (!data) return "?";
  std::string_view whole = as_text(*data);
  std::size_t cut = std::min(whole.size(), kShownMax);
  // Not within a character.
  while (cut > 0 && cut < whole.size() && (data->at(cut) & 0xc0) == 0x80) --cut;
  std::string out = on_one_line(whole.substr(0, cut));
  if (whole.size() > kShownMax) out += "...";
  return out;
}

std::string metadata_of(const json::object& message) {
  std::string out;
  const json::value* pairs = message.if_contains("metadata");
  if (pairs == nullptr || !pairs->is_array()) return out;
  for (const json::value& each : pairs->get_array()) {
    if (!each.is_array() || each.get_array().size() != 2) continue;
    out += fmt::format("{}{}={}", out.empty() ? "" : " ", on_one_line(view(each.get_array()[0])),
                       on_one_line(view(each.get_array()[1])));
  }
  return out;
}

// ---- publish

Result<std::string> data_of(const std::string& word) {
  if (word != "-") return word;
  std::string data(kPublishedMax + 1, '\0');
  std::size_t size = 0;
  while (size < data.size()) {
    ssize_t count = ::read(STDIN_FILENO, data.data() + size, data.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure("reading the message from standard input", errno);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  data.resize(size);
  return data;
}

// For whom it is, as far as the host knows.
std::string takers_of(const json::object& done) {
  const json::value* groups = done.if_contains("groups");
  if (groups == nullptr || !groups->is_array()) return "";
  std::string names;
  for (const json::value& each : groups->get_array()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", on_one_line(view(each)));
  }
  if (!names.empty()) return fmt::format(", for: {}", names);
  if (is_true(done, "all")) {
    return ", but no group wants this topic, so it is kept for nobody: weft messages groups shows "
           "what they want";
  }
  return "; no trigger here wants this topic: only groups of other hosts can be brought it";
}

Result<int> publish(const MessagesWords& words) {
  if (words.words.size() != 2) {
    return failure(Errc::kInvalid,
                   "write weft messages publish APP[/BROKER] TOPIC DATA, or - for "
                   "what is on standard input");
  }
  TRY_VOID(messaging::check_topic(words.words[0]));
  TRY(std::string data, data_of(words.words[1]));
  json::array metadata;
  for (const std::string& each : words.metadata) {
    std::size_t cut = each.find('=');
    if (cut == std::string::npos || cut == 0) {
      return failure(Errc::kInvalid, fmt::format("--meta {}: write KEY=VALUE", each));
    }
    metadata.push_back(
        json::array{json_string(each.substr(0, cut)), json_string(each.substr(cut + 1))});
  }
  if (data.size() > kPublishedMax) {
    return failure(Errc::kLimit, fmt::format("the message has more than the {} bytes that a host "
                                             "takes so",
                                             kPublishedMax));
  }
  json::object arguments;
  arguments["topic"] = json_string(words.words[0]);
  arguments["data"] = json_string(remote::base64(as_bytes(data)));
  arguments["metadata"] = std::move(metadata);
  TRY(std::string answer, ask(words, kAnswerMax, arguments));
  TRY(json::object done, object_of(answer));
  say(fmt::format("weft: published {} bytes to {}{}", data.size(), on_one_line(words.words[0]),
                  takers_of(done)));
  return 0;
}

// ---- tail

Result<AdminLines> show(const MessagesWords& words, std::string_view line, std::uint64_t& seen) {
  TRY(json::object message, object_of(line));
  if (message.empty()) {
    say(fmt::format("weft: watching {}", on_one_line(words.words[0])));
    return AdminLines::kMore;
  }
  bool skipped = message.contains("skipped");
  if (words.json) {
    fmt::print("{}\n", json_without_controls(line));
  } else if (skipped) {
    fmt::print("({} messages skipped: they come faster than they are read)\n",
               number(message, "skipped"));
  } else {
    std::string metadata = metadata_of(message);
    fmt::print("{}  {} bytes{}{}  {}\n", on_one_line(member(message, "topic")),
               number(message, "size"), metadata.empty() ? "" : "  ", metadata,
               shown(member(message, "data")));
  }
  TRY_VOID(finish_output());
  if (!skipped && ++seen == words.count) return AdminLines::kEnough;
  return AdminLines::kMore;
}

Result<int> tail(const MessagesWords& words) {
  if (words.words.size() != 1) {
    return failure(Errc::kInvalid, "write weft messages tail APP[/BROKER] PATTERN: orders.> or >");
  }
  TRY_VOID(messaging::check_pattern(words.words[0]));
  json::object arguments;
  arguments["topic"] = json_string(words.words[0]);
  std::uint64_t seen = 0;
  for (;;) {
    auto outcome = ask(words, kAdminCallTimeMost, arguments,
                       [&](std::string_view line) { return show(words, line, seen); });
    if (outcome) return 0;
    // The host goes on, and so does who watches; one that stops is not there any more.
    if (outcome.error().code() != Errc::kCancelled) {
      return std::unexpected(std::move(outcome).error());
    }
    say(fmt::format("weft: {}", without_controls(outcome.error().message())));
  }
}

// ---- dead

void print_letter(const json::object& letter, std::size_t group, std::size_t topic) {
  fmt::print("{:<20}  {:<{}}  {:<{}}  {:>8}  {:>8}  {}\n", number(letter, "number"),
             on_one_line(member(letter, "group")), group, on_one_line(member(letter, "topic")),
             topic, number(letter, "attempts"), number(letter, "size"),
             on_one_line(member(letter, "reason")));
  std::string metadata = metadata_of(letter);
  if (!metadata.empty()) fmt::print("  {}\n", metadata);
  if (letter.contains("data")) fmt::print("  {}\n", shown(member(letter, "data")));
}

Result<int> dead(const MessagesWords& words) {
  if (!words.words.empty()) {
    return failure(Errc::kInvalid, "write weft messages dead APP[/BROKER] [--group GROUP]");
  }
  json::object arguments;
  if (!words.group.empty()) arguments["group"] = json_string(words.group);
  arguments["bodies"] = words.bodies;
  TRY(std::string answer, ask(words, kAnswerMax, arguments));
  TRY(json::object found, object_of(answer));
  const json::value* letters = found.if_contains("letters");
  if (letters == nullptr || !letters->is_array()) {
    return failure(Errc::kCorrupt, "the host answers no letters");
  }
  if (words.json) {
    fmt::print("{}\n", json_without_controls(answer));
  } else if (!letters->get_array().empty()) {
    std::size_t group = 5;
    std::size_t topic = 5;
    for (const json::value& each : letters->get_array()) {
      if (!each.is_object()) return failure(Errc::kCorrupt, "the host answers no letters");
      group = std::max(group, on_one_line(member(each.get_object(), "group")).size());
      topic = std::max(topic, on_one_line(member(each.get_object(), "topic")).size());
    }
    fmt::print("{:<20}  {:<{}}  {:<{}}  {:>8}  {:>8}  {}\n", "NUMBER", "GROUP", group, "TOPIC",
               topic, "ATTEMPTS", "SIZE", "REASON");
    for (const json::value& each : letters->get_array()) {
      print_letter(each.get_object(), group, topic);
    }
  }
  if (is_true(found, "more")) {
    say("weft: there are more than the host looks at for one answer");
  }
  TRY_VOID(finish_output());
  return 0;
}

// ---- replay

// What was handed over: nobody has handled it yet.
std::string replay_line(std::string_view group, std::size_t replayed, std::size_t failed) {
  std::string name = on_one_line(group);
  if (replayed == 0 && failed == 0) return fmt::format("{} has no dead letters", name);
  std::string left = failed == 0 ? "" : fmt::format(", {} not", failed);
  if (replayed == 0) return fmt::format("0 brought again to {}{}", name, left);
  return fmt::format(
      "{} brought again to {}{}: its trigger handles them in their turn, and each "
      "stays a dead letter until that went well; weft messages dead shows what is "
      "left",
      replayed, name, left);
}

Result<int> replay(const MessagesWords& words) {
  if (words.words.empty() || words.all == (words.words.size() > 1)) {
    return failure(Errc::kInvalid,
                   "write weft messages replay APP[/BROKER] GROUP NUMBER..., or "
                   "--all: weft messages dead shows the numbers");
  }
  json::object arguments;
  arguments["group"] = json_string(words.words[0]);
  json::array numbers;
  for (std::size_t i = 1; i < words.words.size(); ++i) {
    const std::string& word = words.words[i];
    std::uint64_t each = 0;
    auto [stop, problem] = std::from_chars(word.data(), word.data() + word.size(), each);
    if (problem != std::errc() || stop != word.data() + word.size()) {
      return failure(Errc::kInvalid, fmt::format("{}: write the NUMBER of a dead letter, as weft "
                                                 "messages dead shows it",
                                                 word));
    }
    numbers.push_back(each);
  }
  if (words.all) {
    arguments["all"] = true;
  } else {
    arguments["numbers"] = std::move(numbers);
  }
  TRY(std::string answer, ask(words, kAnswerMax, arguments));
  TRY(json::object done, object_of(answer));
  const json::value* replayed = done.if_contains("replayed");
  const json::value* failed = done.if_contains("failed");
  if (replayed == nullptr || failed == nullptr || !replayed->is_array() || !failed->is_array()) {
    return failure(Errc::kCorrupt, "the host does not say what it did");
  }
  if (words.json) {
    TRY_VOID(print_line(json_without_controls(answer)));
  } else {
    TRY_VOID(print_line(
        replay_line(words.words[0], replayed->get_array().size(), failed->get_array().size())));
  }
  for (const json::value& each : failed->get_array()) {
    if (!each.is_object()) continue;
    say(fmt::format("weft: {} was not brought: {}", number(each.get_object(), "number"),
                    on_one_line(member(each.get_object(), "why"))));
  }
  if (is_true(done, "more")) {
    say("weft: there are more than the host looks at for one answer: do it again when these are "
        "handled");
  }
  return failed->get_array().empty() ? 0 : 1;
}

// ---- groups and forget

std::string age_of(std::uint64_t seconds) {
  constexpr std::uint64_t kMinute = 60;
  constexpr std::uint64_t kHour = 60 * kMinute;
  constexpr std::uint64_t kDay = 24 * kHour;
  if (seconds < kMinute) return fmt::format("{}s ago", seconds);
  if (seconds < kHour) return fmt::format("{}m ago", seconds / kMinute);
  if (seconds < kDay) return fmt::format("{}h {}m ago", seconds / kHour, seconds % kHour / kMinute);
  return fmt::format("{}d {}h ago", seconds / kDay, seconds % kDay / kHour);
}

Result<int> groups(const MessagesWords& words) {
  if (!words.words.empty()) {
    return failure(Errc::kInvalid, "write weft messages groups APP[/BROKER]");
  }
  TRY(std::string answer, ask(words, kAnswerMax, {}));
  TRY(json::object found, object_of(answer));
  const json::value* groups = found.if_contains("groups");
  bool well = groups != nullptr && groups->is_array() &&
              std::ranges::all_of(groups->get_array(), &json::value::is_object);
  if (!well) return failure(Errc::kCorrupt, "the host answers no groups");
  if (words.json) {
    TRY_VOID(print_line(json_without_controls(answer)));
    return 0;
  }
  std::size_t name = 5;
  std::size_t topic = 5;
  for (const json::value& each : groups->get_array()) {
    name = std::max(name, on_one_line(member(each.get_object(), "group")).size());
    topic = std::max(topic, on_one_line(member(each.get_object(), "topic")).size());
  }
  bool all = is_true(found, "all");
  constexpr auto kLine = "{:<{}}  {:<{}}  {:>9}  {:>8}  {:>20}  {}\n";
  if (!groups->get_array().empty()) {
    fmt::print(kLine, "GROUP", name, "TOPIC", topic, "BACKLOG", "DEAD", "POSITION", "TRIGGER");
  }
  for (const json::value& value : groups->get_array()) {
    const json::object& each = value.get_object();
    auto count = [&](std::string_view of) {
      return all ? fmt::format("{}", number(each, of)) : std::string("-");
    };
    std::string wanted = on_one_line(member(each, "topic"));
    fmt::print(kLine, on_one_line(member(each, "group")), name, wanted.empty() ? "?" : wanted,
               topic, count("backlog"), count("dead"), count("position"),
               is_true(each, "runs") ? "runs" : age_of(number(each, "idle-seconds")));
  }
  TRY_VOID(finish_output());
  if (!all) {
    say("weft: the broker's driver does not tell its groups: these are those of triggers that run "
        "here");
  }
  return 0;
}

Result<int> forget(const MessagesWords& words) {
  if (!words.words.empty() || words.group.empty()) {
    return failure(Errc::kInvalid,
                   "write weft messages forget APP[/BROKER] --group GROUP: weft "
                   "messages groups shows them");
  }
  json::object arguments;
  arguments["group"] = json_string(words.group);
  TRY(std::string answer, ask(words, kAnswerMax, arguments));
  TRY(json::object done, object_of(answer));
  if (words.json) {
    TRY_VOID(print_line(json_without_controls(answer)));
    return 0;
  }
  TRY_VOID(print_line(
      fmt::format("{} is forgotten; messages that waited for it: {}, dead letters: {}",
                  on_one_line(words.group), number(done, "messages"), number(done, "letters"))));
  return 0;
}

}  // namespace

void add_messages_options(CLI::App& verb, MessagesWords& words) {
  verb.add_option("ACTION", words.what, "tail, publish, dead, replay, groups or forget")
      ->required();
  verb.add_option("BROKER", words.where,
                  "APP for its default broker, or APP/BROKER as its weft.toml calls it")
      ->required();
  verb.add_option("WORDS", words.words,
                  "tail: PATTERN; publish: TOPIC DATA, or - for standard input; replay: GROUP "
                  "NUMBER...; what looks like an option stands behind --");
  verb.add_option("--at", words.at, "The host's admin address; default: 127.0.0.1:9090")
      ->type_name("ADDR:PORT");
  verb.add_option("--meta", words.metadata, "With publish: metadata, as often as needed")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  verb.add_option("--group", words.group, "With dead: of this group only; with forget: this one")
      ->type_name("GROUP");
  verb.add_option("--count", words.count, "With tail: end after so many messages")
      ->type_name("N")
      ->check(
          [](const std::string& text) {
            bool none = text.empty() || text.find_first_not_of("0123456789") != text.npos ||
                        text.find_first_not_of('0') == text.npos;
            return std::string(none ? "write how many messages, 1 or more" : "");
          },
          "");
  verb.add_flag("--bodies", words.bodies, "With dead: show the messages' data too");
  verb.add_flag("--all", words.all, "With replay: all dead letters of the group");
  verb.add_flag("--json", words.json, "Print what the host answers: data is base64");
  take_by_action(verb, kActions, [&words] { return words.what; });
  verb.footer(
      "Asks a running host, which has the brokers open; its operator's file says [admin] calls = "
      "true. tail shows what is published from now on and takes nothing from the groups. replay "
      "brings a dead letter to its group again, and to no other: it stays a dead letter until it "
      "was handled. A host that dies between handling and writing that down leaves it a dead "
      "letter that was handled. groups shows who is brought messages, and how many wait for whom. "
      "A group whose trigger was taken out or renamed goes by itself after a week; forget lets it "
      "go now, with what waits for it and its dead letters.\n"
      "Exit code: 0; 1 when something could not be done.");
}

Result<int> run_messages(const MessagesWords& words) {
  if (words.what == "publish") return publish(words);
  if (words.what == "tail") return tail(words);
  if (words.what == "dead") return dead(words);
  if (words.what == "replay") return replay(words);
  if (words.what == "groups") return groups(words);
  return forget(words);
}

}  // namespace weft
