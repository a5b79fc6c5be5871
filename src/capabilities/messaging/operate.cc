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

// What is being seen to. What is under way has it weakly, and asks after each wait whether it is
// still there.
struct State : std::enable_shared_from_this<State> {
  State(Loop& its_loop, OperatedBroker its_broker, OperatorEvents whom)
      : loop(its_loop),
        broker(std::move(its_broker.broker)),
        groups(std::move(its_broker.groups)),
        events(std::move(whom)) {}

  Request request() { return {loop, Deadline::after(kAskMax)}; }
  void end(Result<std::string> outcome) { events.ended(std::move(outcome)); }

  void publish(const Arguments& arguments);
  void tail(const Arguments& arguments);
  void dead(const Arguments& arguments);
  void replay(const Arguments& arguments);
  Result<void> try_publish(const Arguments& arguments);
  Result<void> try_tail(const Arguments& arguments);
  Result<void> try_replay(const Arguments& arguments);
  void show(const Message& message);

  static Task<void> bring(std::weak_ptr<State> weak, std::string group,
                          std::optional<std::vector<std::uint64_t>> numbers);

  Loop& loop;
  const std::unique_ptr<Broker> broker;
  const std::set<std::string> groups;
  const OperatorEvents events;
  std::unique_ptr<Watch> watch;  // Gone before the broker.
  std::uint64_t skipped = 0;
};

void State::publish(const Arguments& arguments) {
  if (auto begun = try_publish(arguments); !begun) end(std::unexpected(std::move(begun).error()));
}

Result<void> State::try_publish(const Arguments& arguments) {
  Message message;
  TRY(message.topic, arguments.text_of("topic"));
  TRY(std::string data, arguments.text_of("data"));
  TRY(message.data, remote::from_base64(data));
  TRY(message.metadata, arguments.pairs_of("metadata"));
  auto answer =
      broker->publish(request(), std::move(message))
          .settle([weak = weak_from_this()](Result<void> kept) {
            auto self = weak.lock();
            if (self == nullptr) return Nothing();
            self->end(kept ? Result<std::string>("{}") : std::unexpected(std::move(kept).error()));
            return Nothing();
          });
  return {};
}

void State::tail(const Arguments& arguments) {
  if (auto begun = try_tail(arguments); !begun) end(std::unexpected(std::move(begun).error()));
}

Result<void> State::try_tail(const Arguments& arguments) {
  TRY(std::string pattern, arguments.text_of("topic"));
  TRY(watch, broker->watch(std::move(pattern), [this](Message message) { show(message); }));
  // Whoever reads knows from when on.
  events.told("{}");
  return {};
}

// Goes with the watch.
void State::show(const Message& message) {
  skipped += watch->skipped();
  if (skipped > 0 && events.told(fmt::format("{{\"skipped\":{}}}", skipped))) skipped = 0;
  if (!events.told(json::serialize(object_of(message, Bodies::kAll)))) ++skipped;
}

void State::dead(const Arguments& arguments) {
  std::optional<std::string> group;
  if (arguments.has("group")) {
    auto name = arguments.text_of("group");
    if (!name) return end(std::unexpected(std::move(name).error()));
    group = *std::move(name);
  }
  Bodies bodies = arguments.is_true("bodies") ? Bodies::kAll : Bodies::kNone;
  auto answer =
      broker->dead(request(), kLettersShownMax + 1)
          .settle([weak = weak_from_this(), group, bodies](Result<std::vector<DeadLetter>> found) {
            auto self = weak.lock();
            if (self == nullptr) return Nothing();
            if (!found) {
              self->end(std::unexpected(std::move(found).error()));
              return Nothing();
            }
            json::object out;
            out["more"] = found->size() > kLettersShownMax;
            found->resize(std::min(found->size(), kLettersShownMax));
            json::array letters;
            for (const DeadLetter& letter : *found) {
              if (!group || letter.group == *group) letters.push_back(object_of(letter, bodies));
            }
            out["letters"] = std::move(letters);
            self->end(json::serialize(out));
            return Nothing();
          });
}

void State::replay(const Arguments& arguments) {
  if (auto begun = try_replay(arguments); !begun) end(std::unexpected(std::move(begun).error()));
}

Result<void> State::try_replay(const Arguments& arguments) {
  TRY(std::string group, arguments.text_of("group"));
  if (!groups.contains(group)) {
    std::string there =
        groups.empty() ? "there are none on this broker"
                       : fmt::format("those that are here: \"{}\"", fmt::join(groups, "\", \""));
    return failure(Errc::kNotFound, fmt::format("no trigger here has the group \"{}\", so nothing "
                                                "can be brought to it; {}",
                                                group, there));
  }
  std::optional<std::vector<std::uint64_t>> numbers;
  if (!arguments.is_true("all")) {
    TRY(numbers, arguments.numbers_of("numbers"));
  }
  loop.spawn(bring(weak_from_this(), std::move(group), std::move(numbers)),
             [weak = weak_from_this()](Result<void> done) {
               auto self = weak.lock();
               if (self != nullptr && !done) self->end(std::unexpected(std::move(done).error()));
             });
  return {};
}

// One after the other, in the order of their numbers: as they died.
Task<void> State::bring(std::weak_ptr<State> weak, std::string group,
                        std::optional<std::vector<std::uint64_t>> numbers) {
  auto self = weak.lock();
  if (self == nullptr) co_return Result<void>();
  if (!numbers) {
    auto asked = self->broker->dead(self->request(), kLettersShownMax);
    self = nullptr;
    CO_TRY(std::vector<DeadLetter> letters, co_await settled(std::move(asked)));
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
    if (self == nullptr) co_return Result<void>();
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
  self = weak.lock();
  if (self == nullptr) co_return Result<void>();
  Loop::Turn open(self->loop);
  json::object out;
  out["replayed"] = std::move(replayed);
  out["failed"] = std::move(failed);
  self->end(json::serialize(out));
  co_return Result<void>();
}

class MessagesWork final : public OperatorWork {
 public:
  explicit MessagesWork(std::shared_ptr<State> state) : state_(std::move(state)) {}

  bool endless() const override { return state_->watch != nullptr; }

  // Later, as nothing is told inside `operate`.
  void begin(std::string verb, std::string arguments) {
    state_->loop.post(
        [weak = std::weak_ptr(state_), verb = std::move(verb), arguments = std::move(arguments)] {
          auto state = weak.lock();
          if (state == nullptr) return;
          auto read = Arguments::read(arguments);
          if (!read) return state->end(std::unexpected(std::move(read).error()));
          if (verb == "publish") return state->publish(*read);
          if (verb == "tail") return state->tail(*read);
          if (verb == "dead") return state->dead(*read);
          if (verb == "replay") return state->replay(*read);
          state->end(failure(
              Errc::kInvalid,
              fmt::format("messaging knows no \"{}\": publish, tail, dead or replay", verb)));
        });
  }

 private:
  const std::shared_ptr<State> state_;  // Weakly with what is under way.
};

}  // namespace

std::unique_ptr<OperatorWork> operate(Loop& loop, OperatedBroker broker, std::string verb,
                                      std::string arguments, OperatorEvents events) {
  auto work = std::make_unique<MessagesWork>(
      std::make_shared<State>(loop, std::move(broker), std::move(events)));
  work->begin(std::move(verb), std::move(arguments));
  return work;
}

}  // namespace weft::messaging
