#include "capabilities/messaging/operate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "base/json_string.h"
#include "capabilities/answer_tasks.h"
#include "capabilities/messaging/log_format.h"
#include "capabilities/messaging/replays.h"
#include "io/loop.h"
#include "remote/base64.h"

namespace weft::messaging {
namespace {

namespace json = boost::json;

// Of one question to the broker.
constexpr std::chrono::seconds kAskMax{30};

// Members of an object that must be what they are named for.
class Arguments {
 public:
  static Result<Arguments> read(std::string_view written) {
    boost::system::error_code problem;
    json::value value = json::parse({written.data(), written.size()}, problem);
    if (problem || !value.is_object()) {
      return failure(Errc::kInvalid, "the arguments are no JSON object");
    }
    return Arguments(std::move(value.get_object()));
  }

  bool has(std::string_view member) const { return object_.contains(view(member)); }
  bool is_true(std::string_view member) const {
    const json::value* value = object_.if_contains(view(member));
    return value != nullptr && value->is_bool() && value->get_bool();
  }
  Result<std::string> text_of(std::string_view member) const {
    const json::value* value = object_.if_contains(view(member));
    if (value == nullptr || !value->is_string()) {
      return failure(Errc::kInvalid, fmt::format("the argument \"{}\": write a string", member));
    }
    return std::string(value->get_string().data(), value->get_string().size());
  }
  Result<std::vector<std::uint64_t>> numbers_of(std::string_view member) const {
    const json::value* value = object_.if_contains(view(member));
    std::vector<std::uint64_t> numbers;
    bool well = value != nullptr && value->is_array() && value->get_array().size() <= kReplayedMax;
    for (std::size_t i = 0; well && i < value->get_array().size(); ++i) {
      boost::system::error_code problem;
      numbers.push_back(value->get_array()[i].to_number<std::uint64_t>(problem));
      well = !problem;
    }
    if (well) return numbers;
    return failure(Errc::kInvalid, fmt::format("the argument \"{}\": write a list of {} numbers at "
                                               "most",
                                               member, kReplayedMax));
  }
  Result<std::vector<std::pair<std::string, std::string>>> pairs_of(std::string_view member) const {
    std::vector<std::pair<std::string, std::string>> pairs;
    const json::value* value = object_.if_contains(view(member));
    if (value == nullptr) return pairs;
    bool well = value->is_array() && value->get_array().size() <= kOwnMetadataMax;
    for (std::size_t i = 0; well && i < value->get_array().size(); ++i) {
      const json::array* pair = value->get_array()[i].if_array();
      well = pair != nullptr && pair->size() == 2 && pair->at(0).is_string() &&
             pair->at(1).is_string();
      if (!well) break;
      const json::string& key = pair->at(0).get_string();
      const json::string& of_key = pair->at(1).get_string();
      pairs.emplace_back(std::string(key.data(), key.size()),
                         std::string(of_key.data(), of_key.size()));
    }
    if (well) return pairs;
    return failure(Errc::kInvalid,
                   fmt::format("the argument \"{}\": write a list of [KEY, VALUE], {} at most",
                               member, kOwnMetadataMax));
  }

 private:
  explicit Arguments(json::object object) : object_(std::move(object)) {}
  static json::string_view view(std::string_view member) { return {member.data(), member.size()}; }

  json::object object_;
};

enum class Bodies : std::uint8_t { kNone, kAll };

json::object object_of(const Message& message, Bodies bodies) {
  json::object out;
  out["topic"] = json_string(message.topic);
  out["size"] = message.data.size();
  if (message.content_type) out["content-type"] = json_string(*message.content_type);
  json::array metadata;
  for (const auto& [key, value] : message.metadata) {
    metadata.push_back(json::array{json_string(key), json_string(value)});
  }
  out["metadata"] = std::move(metadata);
  if (bodies == Bodies::kAll) out["data"] = json_string(remote::base64(message.data));
  return out;
}

json::object object_of(const DeadLetter& letter, Bodies bodies) {
  json::object out = object_of(letter.message, bodies);
  out["number"] = letter.number;
  out["group"] = json_string(letter.group);
  out["reason"] = json_string(letter.reason);
  out["attempts"] = letter.attempts;
  return out;
}

// The groups that are known here.
struct Known {
  std::vector<KnownGroup> groups = {};
  bool all = false;  // The broker knows them; or they are those of triggers that run here.

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const KnownGroup& each : groups) names.push_back(each.name);
    return names;
  }
  // For a message: what there is instead.
  std::string instead() const {
    if (groups.empty()) return all ? "it has none" : "there are none on this broker";
    return fmt::format("{}: \"{}\"", all ? "it has" : "those that are here",
                       fmt::join(names(), "\", \""));
  }
};

json::object object_of(const KnownGroup& group, bool all) {
  json::object out;
  out["group"] = json_string(group.name);
  out["topic"] = json_string(group.pattern);
  out["runs"] = group.runs;
  if (!all) return out;
  out["backlog"] = group.backlog;
  out["dead"] = group.dead;
  out["position"] = group.position;
  out["seen-ms"] = group.seen_ms;
  out["idle-seconds"] = std::max<std::int64_t>(0, now_ms() - group.seen_ms) / 1'000;
  return out;
}

// What is being seen to. What is under way has it weakly, and asks after each wait whether it is
// still there.
struct Wish : std::enable_shared_from_this<Wish> {
  Wish(Loop& its_loop, OperatedBroker its_broker, OperatorEvents whom)
      : loop(its_loop),
        broker(std::move(its_broker.broker)),
        groups(std::move(its_broker.groups)),
        events(std::move(whom)) {}

  Request request() { return {loop, Deadline::after(kAskMax)}; }
  void end(Result<std::string> outcome) { events.ended(std::move(outcome)); }

  // Begins what the verb says, or fails at once.
  Result<void> begin(const std::string& verb, const Arguments& arguments);
  Result<void> publish(const Arguments& arguments);
  Result<void> tail(const Arguments& arguments);
  Result<void> dead(const Arguments& arguments);
  Result<void> replay(const Arguments& arguments);
  Result<void> forget(const Arguments& arguments);
  void show(const Message& message);
  // Those whose triggers run here.
  Known here() const;
  // Ends with what the task comes to.
  void spawn(Task<std::string> task);

  static Task<Known> known(std::weak_ptr<Wish> weak, Counted counted);
  static Task<std::string> publish_task(std::weak_ptr<Wish> weak, Message message);
  static Task<std::string> dead_task(std::weak_ptr<Wish> weak, std::optional<std::string> group,
                                     Bodies bodies);
  static Task<std::string> replay_task(std::weak_ptr<Wish> weak, std::string group,
                                       std::optional<std::vector<std::uint64_t>> numbers);
  static Task<std::string> groups_task(std::weak_ptr<Wish> weak);
  static Task<std::string> forget_task(std::weak_ptr<Wish> weak, std::string group);

  Loop& loop;
  const std::unique_ptr<Broker> broker;
  const std::map<std::string, std::string> groups;
  const OperatorEvents events;
  std::unique_ptr<Watch> watch;  // Gone before the broker.
  std::uint64_t skipped = 0;
};

// Nobody is there any more who could be told.
Error gone() {
  return Error(Errc::kCancelled, "nobody asks any more");
}

Result<void> Wish::begin(const std::string& verb, const Arguments& arguments) {
  if (verb == "publish") return publish(arguments);
  if (verb == "tail") return tail(arguments);
  if (verb == "dead") return dead(arguments);
  if (verb == "replay") return replay(arguments);
  if (verb == "forget") return forget(arguments);
  if (verb == "groups") {
    spawn(groups_task(weak_from_this()));
    return {};
  }
  return failure(Errc::kInvalid,
                 fmt::format("messaging knows no \"{}\": publish, tail, dead, replay, groups or "
                             "forget",
                             verb));
}

void Wish::spawn(Task<std::string> task) {
  auto work = [](std::weak_ptr<Wish> weak, Task<std::string> begun) -> Task<void> {
    Result<std::string> outcome = co_await std::move(begun);
    if (auto self = weak.lock()) {
      Loop::Turn open(self->loop);
      self->end(std::move(outcome));
    }
    co_return Result<void>();
  };
  loop.spawn(work(weak_from_this(), std::move(task)));
}

Known Wish::here() const {
  Known here;
  for (const auto& [name, pattern] : groups) {
    here.groups.push_back({.name = name, .pattern = pattern, .runs = true});
  }
  return here;
}

// Where the driver cannot say, what is known is what runs here.
Task<Known> Wish::known(std::weak_ptr<Wish> weak, Counted counted) {
  auto self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  Known here = self->here();
  auto asked = self->broker->groups(self->request(), counted);
  self = nullptr;
  Result<std::vector<KnownGroup>> found = co_await settled(std::move(asked));
  if (found) co_return Known{.groups = *std::move(found), .all = true};
  if (found.error().code() != Errc::kUnsupported) {
    co_return std::unexpected(std::move(found).error());
  }
  co_return here;
}

Result<void> Wish::publish(const Arguments& arguments) {
  Message message;
  TRY(message.topic, arguments.text_of("topic"));
  TRY(std::string data, arguments.text_of("data"));
  TRY(message.data, remote::from_base64(data));
  TRY(message.metadata, arguments.pairs_of("metadata"));
  spawn(publish_task(weak_from_this(), std::move(message)));
  return {};
}

Task<std::string> Wish::publish_task(std::weak_ptr<Wish> weak, Message message) {
  std::string topic = message.topic;
  auto self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  auto asked = self->broker->publish(self->request(), std::move(message));
  self = nullptr;
  CO_TRY_VOID(co_await settled(std::move(asked)));
  // It is published, whether anybody knows for whom or not.
  json::object out;
  if (Result<Known> there = co_await known(weak, Counted::kNo)) {
    json::array takers;
    for (const KnownGroup& each : there->groups) {
      bool takes = each.pattern.empty() || matches(each.pattern, topic);
      if (takes) takers.push_back(json_string(each.name));
    }
    out["groups"] = std::move(takers);
    out["all"] = there->all;
  }
  co_return json::serialize(out);
}

Result<void> Wish::tail(const Arguments& arguments) {
  TRY(std::string pattern, arguments.text_of("topic"));
  TRY(watch, broker->watch(std::move(pattern), [this](Message message) { show(message); }));
  // Whoever reads knows from when on.
  events.told("{}");
  return {};
}

// Goes with the watch.
void Wish::show(const Message& message) {
  skipped += watch->skipped();
  if (skipped > 0 && events.told(fmt::format("{{\"skipped\":{}}}", skipped))) skipped = 0;
  if (!events.told(json::serialize(object_of(message, Bodies::kAll)))) ++skipped;
}

Result<void> Wish::dead(const Arguments& arguments) {
  std::optional<std::string> group;
  if (arguments.has("group")) {
    TRY(group, arguments.text_of("group"));
  }
  Bodies bodies = arguments.is_true("bodies") ? Bodies::kAll : Bodies::kNone;
  spawn(dead_task(weak_from_this(), std::move(group), bodies));
  return {};
}

Task<std::string> Wish::dead_task(std::weak_ptr<Wish> weak, std::optional<std::string> group,
                                  Bodies bodies) {
  auto self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  auto asked = self->broker->dead(self->request(), kLettersShownMax + 1);
  self = nullptr;
  CO_TRY(std::vector<DeadLetter> found, co_await settled(std::move(asked)));
  json::object out;
  out["more"] = found.size() > kLettersShownMax;
  found.resize(std::min(found.size(), kLettersShownMax));
  json::array letters;
  for (const DeadLetter& letter : found) {
    if (!group || letter.group == *group) letters.push_back(object_of(letter, bodies));
  }
  if (group && letters.empty()) {
    CO_TRY(Known there, co_await known(weak, Counted::kNo));
    if (std::ranges::find(there.groups, *group, &KnownGroup::name) == there.groups.end()) {
      co_return failure(
          Errc::kNotFound,
          there.all ? fmt::format("the broker has no group \"{}\"; {}", *group, there.instead())
                    : fmt::format("no trigger here has the group \"{}\", and there "
                                  "are no dead letters of it; {}",
                                  *group, there.instead()));
    }
  }
  out["letters"] = std::move(letters);
  co_return json::serialize(out);
}

Result<void> Wish::replay(const Arguments& arguments) {
  TRY(std::string group, arguments.text_of("group"));
  if (!groups.contains(group)) {
    return failure(Errc::kNotFound, fmt::format("no trigger here has the group \"{}\", so nothing "
                                                "can be brought to it; {}",
                                                group, here().instead()));
  }
  std::optional<std::vector<std::uint64_t>> numbers;
  if (!arguments.is_true("all")) {
    TRY(numbers, arguments.numbers_of("numbers"));
  }
  spawn(replay_task(weak_from_this(), std::move(group), std::move(numbers)));
  return {};
}

// One after the other, in the order of their numbers: as they died.
Task<std::string> Wish::replay_task(std::weak_ptr<Wish> weak, std::string group,
                                    std::optional<std::vector<std::uint64_t>> numbers) {
  auto self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  json::object out;
  out["more"] = false;
  if (!numbers) {
    auto asked = self->broker->dead(self->request(), kLettersShownMax + 1);
    self = nullptr;
    CO_TRY(std::vector<DeadLetter> letters, co_await settled(std::move(asked)));
    out["more"] = letters.size() > kLettersShownMax;
    letters.resize(std::min(letters.size(), kLettersShownMax));
    numbers.emplace();
    for (const DeadLetter& letter : letters) {
      if (letter.group == group) numbers->push_back(letter.number);
    }
  }
  std::ranges::sort(*numbers);
  json::array replayed;
  json::array failed;
  for (std::uint64_t number : *numbers) {
    self = weak.lock();
    if (self == nullptr) co_return std::unexpected(gone());
    auto asked = self->broker->replay(self->request(), group, number);
    self = nullptr;
    Result<void> done = co_await settled(std::move(asked));
    if (done) {
      replayed.push_back(number);
      continue;
    }
    // A driver that cannot do it at all, or a server that is away, is so for all of them.
    if (done.error().code() == Errc::kUnsupported) co_return std::unexpected(done.error());
    json::object why;
    why["number"] = number;
    why["why"] = json_string(done.error().message());
    failed.push_back(std::move(why));
  }
  out["replayed"] = std::move(replayed);
  out["failed"] = std::move(failed);
  co_return json::serialize(out);
}

Task<std::string> Wish::groups_task(std::weak_ptr<Wish> weak) {
  CO_TRY(Known there, co_await known(weak, Counted::kYes));
  json::array groups;
  for (const KnownGroup& each : there.groups) groups.push_back(object_of(each, there.all));
  json::object out;
  out["groups"] = std::move(groups);
  out["all"] = there.all;
  co_return json::serialize(out);
}

Result<void> Wish::forget(const Arguments& arguments) {
  TRY(std::string group, arguments.text_of("group"));
  if (groups.contains(group)) return failure(Errc::kConflict, group_runs(group));
  spawn(forget_task(weak_from_this(), std::move(group)));
  return {};
}

Task<std::string> Wish::forget_task(std::weak_ptr<Wish> weak, std::string group) {
  auto self = weak.lock();
  if (self == nullptr) co_return std::unexpected(gone());
  auto asked = self->broker->forget(self->request(), group);
  self = nullptr;
  Result<Forgotten> forgotten = co_await settled(std::move(asked));
  if (!forgotten) {
    if (forgotten.error().code() != Errc::kNotFound) co_return std::unexpected(forgotten.error());
    CO_TRY(Known there, co_await known(weak, Counted::kNo));
    co_return failure(Errc::kNotFound,
                      fmt::format("the broker has no group \"{}\"; {}", group, there.instead()));
  }
  json::object out;
  out["messages"] = forgotten->messages;
  out["letters"] = forgotten->letters;
  co_return json::serialize(out);
}

class MessagesWork final : public OperatorWork {
 public:
  explicit MessagesWork(std::shared_ptr<Wish> wish) : wish_(std::move(wish)) {}

  bool endless() const override { return wish_->watch != nullptr; }

  // Later, as nothing is told inside `operate`.
  void begin(std::string verb, std::string arguments) {
    wish_->loop.post(
        [weak = std::weak_ptr(wish_), verb = std::move(verb), arguments = std::move(arguments)] {
          auto wish = weak.lock();
          if (wish == nullptr) return;
          auto read = Arguments::read(arguments);
          if (!read) return wish->end(std::unexpected(std::move(read).error()));
          auto begun = wish->begin(verb, *read);
          if (!begun) wish->end(std::unexpected(std::move(begun).error()));
        });
  }

 private:
  const std::shared_ptr<Wish> wish_;  // Weakly with what is under way.
};

}  // namespace

std::unique_ptr<OperatorWork> operate(Loop& loop, OperatedBroker broker, std::string verb,
                                      std::string arguments, OperatorEvents events) {
  auto work = std::make_unique<MessagesWork>(
      std::make_shared<Wish>(loop, std::move(broker), std::move(events)));
  work->begin(std::move(verb), std::move(arguments));
  return work;
}

}  // namespace weft::messaging
