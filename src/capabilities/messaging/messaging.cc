#include "capabilities/messaging/messaging.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/check.h"
#include "base/limits.h"
#include "base/shown_text.h"
#include "capabilities/keyvalue/backend.h"
#include "capabilities/messaging/drivers/jetstream/jetstream.h"
#include "capabilities/messaging/drivers/kafka/kafka.h"
#include "capabilities/messaging/drivers/mqtt/mqtt.h"
#include "capabilities/messaging/drivers/nats/nats.h"
#include "capabilities/messaging/drivers/rabbitmq/rabbitmq.h"
#include "capabilities/messaging/hosts.h"
#include "capabilities/messaging/log_broker.h"
#include "capabilities/messaging/operate.h"
#include "capabilities/messaging/trigger.h"
#include "capabilities/offer_table.h"
#include "wit/wasi/messaging_0_2_0_draft/incoming_handler.h"
#include "wit/wasi/messaging_0_2_0_draft/producer.h"
#include "wit/wasi/messaging_0_2_0_draft/request_reply.h"
#include "wit/wasi/messaging_0_2_0_draft/types.h"
#include "wit/wasmcloud/messaging_0_2_0/consumer.h"
#include "wit/wasmcloud/messaging_0_2_0/handler.h"
#include "wit/wasmcloud/messaging_0_3_0/consumer.h"
#include "wit/wasmcloud/messaging_0_3_0/handler.h"

namespace weft::messaging {
namespace {

namespace wasi = ::weft::wit::wasi::messaging_0_2_0_draft;
namespace wasmcloud = ::weft::wit::wasmcloud::messaging_0_2_0;
namespace streams = ::weft::wit::wasmcloud::messaging_0_3_0;

using Make = std::unique_ptr<Provider> (*)(std::unique_ptr<Brokers>);

// wasmcloud:messaging 0.3.0 as it was first: wasi:messaging under another name. What came under
// that version later (`streams`) has none of these interfaces but `types`, of which it imports no
// function: a component of either finds its own.
constexpr std::string_view kTypes3 = "wasmcloud:messaging/types@0.3.0";
constexpr std::string_view kProducer3 = "wasmcloud:messaging/producer@0.3.0";
constexpr std::string_view kRequestReply3 = "wasmcloud:messaging/request-reply@0.3.0";
constexpr std::string_view kIncomingHandler3 = "wasmcloud:messaging/incoming-handler@0.3.0";

constexpr OfferTable<Make, 8> kTable({
    {{wasmcloud::consumer::kName, wasmcloud::consumer::kFunctions}, wasmcloud_consumer},
    {{streams::consumer::kName, streams::consumer::kFunctions}, wasmcloud_streams_consumer},
    {{wasi::types::kName, wasi::types::kFunctions}, wasi_types},
    {{wasi::producer::kName, wasi::producer::kFunctions}, wasi_producer},
    {{wasi::request_reply::kName, wasi::request_reply::kFunctions}, wasi_request_reply},
    {{kTypes3, wasi::types::kFunctions}, wasi_types},
    {{kProducer3, wasi::producer::kFunctions}, wasi_producer},
    {{kRequestReply3, wasi::request_reply::kFunctions}, wasi_request_reply},
});
// Of several that a component exports the first one is called.
constexpr OfferTable<const HandlerForm*, 4> kHandlers({
    {{wasi::incoming_handler::kName, wasi::incoming_handler::kFunctions}, &kWasiHandler},
    {{kIncomingHandler3, wasi::incoming_handler::kFunctions}, &kWasiHandler},
    {{streams::handler::kName, streams::handler::kFunctions}, &kWasmcloudStreamsHandler},
    {{wasmcloud::handler::kName, wasmcloud::handler::kFunctions}, &kWasmcloudHandler},
});

constexpr std::string_view kEmbedded = "embedded";
constexpr std::string_view kMemory = "memory";
constexpr std::array<DriverKey, 1> kMemoryKeys{{{"size", DriverKey::Kind::kSize}}};
constexpr std::string_view kNats = "nats";
constexpr std::string_view kJetStream = "jetstream";
constexpr std::string_view kMqtt = "mqtt";
constexpr std::string_view kRabbitMq = "rabbitmq";
constexpr std::string_view kKafka = "kafka";
constexpr std::uint64_t kMemoryByDefault = std::uint64_t{256} << 20;
// Of what a driver may hold at most: a message with what is kept beside it.
constexpr std::uint64_t kRoomMin = 2 * kMessageBytesMax;

std::span<const DriverInfo> driver_infos() {
  static const std::array<DriverInfo, 7> infos{{{kEmbedded, {}},
                                                {kMemory, kMemoryKeys},
                                                {kNats, nats::driver_keys()},
                                                {kJetStream, jetstream::driver_keys()},
                                                {kMqtt, mqtt::driver_keys()},
                                                {kRabbitMq, rabbitmq::driver_keys()},
                                                {kKafka, kafka::driver_keys()}}};
  return infos;
}

Result<std::unique_ptr<Backend>> make_backend(const DriverChoice& choice) {
  if (choice.driver == kNats) {
    TRY(nats::Settings settings, nats::read_settings(choice));
    return nats::nats_backend(std::move(settings));
  }
  if (choice.driver == kJetStream) {
    TRY(jetstream::Settings settings, jetstream::read_settings(choice));
    return jetstream::jetstream_backend(std::move(settings));
  }
  if (choice.driver == kMqtt) {
    TRY(mqtt::Settings settings, mqtt::read_settings(choice));
    return mqtt::mqtt_backend(std::move(settings));
  }
  if (choice.driver == kRabbitMq) {
    TRY(rabbitmq::Settings settings, rabbitmq::read_settings(choice));
    return rabbitmq::rabbitmq_backend(std::move(settings));
  }
  if (choice.driver == kKafka) {
    TRY(kafka::Settings settings, kafka::read_settings(choice));
    return kafka::kafka_backend(std::move(settings));
  }
  if (choice.driver != kMemory) {
    return failure(Errc::kUnsupported,
                   fmt::format("there is no driver \"{}\" for messaging", choice.driver));
  }
  std::uint64_t bytes = kMemoryByDefault;
  if (const Secret* size = choice.find("size")) {
    TRY(bytes, parse_size(size->reveal()));
  }
  return log_backend(keyvalue::memory_backend(bytes));
}

bool needs_embedded(const Use& use) {
  if (use.any_name) return true;
  return std::ranges::any_of(use.names, [&](const std::string& name) {
    auto choice = use.drivers.find(name);
    return choice == use.drivers.end() || choice->second.driver == kEmbedded;
  });
}

// The brokers of one component on one loop, each opened when it is asked for first.
class UsedBrokers final : public Brokers {
 public:
  using Open =
      std::move_only_function<std::unique_ptr<Broker>(std::string_view app, std::string_view name)>;

  UsedBrokers(const Use& use, Open open) : use_(use), open_(std::move(open)) {}

  Result<Broker*> find(std::string_view app, std::string_view name) override {
    if (!use_.allows(name)) {
      return failure(
          Errc::kDenied,
          fmt::format("{} is not granted: {}",
                      name.empty() ? "the default broker" : fmt::format("the broker \"{}\"", name),
                      how_to_grant(use_, "messaging", name)));
    }
    auto known = open_brokers_.find(name);
    if (known == open_brokers_.end()) {
      known = open_brokers_.emplace(std::string(name), open_(app, name)).first;
    }
    return known->second.get();
  }
  Result<Broker*> only(std::string_view app) override {
    bool default_one = use_.any_name || use_.allows("");
    if (default_one || use_.names.size() != 1) return find(app, "");
    return find(app, use_.names.front());
  }
  std::vector<Broker*> all(std::string_view app) override {
    std::vector<Broker*> all;
    for (const std::string& name : use_.names) all.push_back(*find(app, name));
    if (all.empty()) all.push_back(*find(app, ""));
    return all;
  }

 private:
  const Use& use_;
  Open open_;
  std::map<std::string, std::unique_ptr<Broker>, std::less<>> open_brokers_;
};

std::string text_of(const TriggerSettings& settings, std::string_view key) {
  const std::string* text = settings.find(key);
  return text == nullptr ? "" : *text;
}

// A group of its own for each component and pattern, where none is named.
std::string group_of(std::string_view component, const TriggerSettings& settings) {
  const std::string* group = settings.find("group");
  if (group != nullptr) return *group;
  return fmt::format("{} {}", component, text_of(settings, "topic"));
}

Result<void> check_dead_letter_topic(const std::string& topic, const std::string& pattern) {
  TRY_VOID(check_topic(topic));
  if (!matches(pattern, topic)) return {};
  return failure(Errc::kInvalid,
                 fmt::format("dead-letter-topic = \"{}\" is one of the trigger's own topics, "
                             "\"{}\", and its dead letters would come back to it: name one "
                             "that the trigger is not brought",
                             topic, pattern));
}

Result<void> check_group(const std::string& group) {
  if (group.empty() || group.size() > kGroupNameBytesMax) {
    return failure(Errc::kInvalid,
                   fmt::format("a group's name has 1 to {} bytes", kGroupNameBytesMax));
  }
  // It stands in lines that people read.
  std::string_view rest = group;
  while (std::size_t length = shown_length(rest)) rest.remove_prefix(length);
  if (rest.empty()) return {};
  return failure(Errc::kInvalid,
                 fmt::format("the group \"{}\": a group's name has no control characters, and "
                             "none that turn the text around",
                             on_one_line(group)));
}

// What cannot hold one message of the largest is full at once.
Result<void> check_room(const DriverChoice& choice, std::string_view key) {
  const Secret* size = choice.find(key);
  if (size == nullptr) return {};
  TRY(std::uint64_t bytes, parse_size(size->reveal()));
  if (bytes >= kRoomMin) return {};
  return failure(Errc::kInvalid, fmt::format("{}: write {}MiB at least: a message may have {}MiB",
                                             key, kRoomMin >> 20, kMessageBytesMax >> 20));
}

}  // namespace

std::span<const Offer> MessagingCapability::offers() const {
  return kTable.offers();
}

std::span<const DriverInfo> MessagingCapability::drivers() const {
  return driver_infos();
}

Result<void> MessagingCapability::check(const DriverChoice& choice) const {
  if (choice.driver == kMemory) TRY_VOID(check_room(choice, "size"));
  if (choice.driver == kJetStream) TRY_VOID(check_room(choice, "max-bytes"));
  if (choice.driver == kNats) TRY_VOID(nats::read_settings(choice));
  if (choice.driver == kJetStream) TRY_VOID(jetstream::read_settings(choice));
  if (choice.driver == kMqtt) TRY_VOID(mqtt::read_settings(choice));
  if (choice.driver == kRabbitMq) TRY_VOID(rabbitmq::read_settings(choice));
  if (choice.driver == kKafka) TRY_VOID(kafka::read_settings(choice));
  return {};
}

Result<void> MessagingCapability::connect(std::string_view, const DriverChoice& choice) const {
  if (choice.driver == kEmbedded) return {};
  return ChosenBackends<Backend>::connect(choice, make_backend);
}

Result<void> MessagingCapability::prepare(const Use& use) {
  if (needs_embedded(use)) {
    TRY_VOID(embedded_->open());
    embedded_open_ = true;
  }
  return chosen_.prepare(use, name(), kEmbedded, make_backend);
}

Backend* MessagingCapability::backend_of(const Use& use, std::string_view name) const {
  auto choice = use.drivers.find(name);
  if (choice == use.drivers.end() || choice->second.driver == kEmbedded) return embedded_.get();
  return chosen_.find(name, choice->second);
}

Result<Backend*> MessagingCapability::granted(const OperatorCall& call) const {
  std::set<std::string> known;
  for (const Use* use : call.uses) {
    if (use->allows(call.name)) {
      Backend* backend = backend_of(*use, call.name);
      bool runs = backend != nullptr && (backend != embedded_.get() || embedded_open_);
      if (runs) return backend;
    }
    for (const std::string& name : use->names) known.insert(fmt::format("\"{}\"", name));
  }
  if (known.empty()) {
    return failure(Errc::kNotFound,
                   fmt::format("{}: none of its components uses messaging", call.app));
  }
  return failure(Errc::kNotFound, fmt::format("{} has no broker \"{}\"; its components use {}",
                                              call.app, call.name, fmt::join(known, ", ")));
}

std::unique_ptr<OperatorWork> MessagingCapability::operate(OperatorCall call,
                                                           OperatorEvents events) {
  Result<Backend*> backend = granted(call);
  if (!backend) {
    call.loop.post([ended = std::move(events.ended), error = std::move(backend).error()] {
      ended(std::unexpected(error));
    });
    return std::make_unique<OperatorWork>();
  }
  std::map<std::string, std::string> groups;
  for (const Waking& each : call.triggers) {
    if (text_of(each.settings, "broker") != call.name) continue;
    groups.emplace(group_of(each.component, each.settings), text_of(each.settings, "topic"));
  }
  return weft::messaging::operate(
      call.loop, {(*backend)->broker(call.loop, {call.app, call.name}), std::move(groups)},
      std::move(call.verb), std::move(call.arguments), std::move(events));
}

std::unique_ptr<Provider> MessagingCapability::provider(const Offer& offer, Site site) {
  auto open = [this, &use = site.use, &loop = site.loop](std::string_view app,
                                                         std::string_view name) {
    Backend* backend = backend_of(use, name);
    CHECK(backend != nullptr);
    return backend->broker(loop, {std::string(app), std::string(name)});
  };
  return kTable.maker(offer)(std::make_unique<UsedBrokers>(site.use, std::move(open)));
}

std::optional<TriggerForm> MessagingCapability::trigger() const {
  using Kind = DriverKey::Kind;
  static constexpr std::array<DriverKey, 8> kKeys{
      {{"topic", Kind::kText, "orders.>"},
       {"broker"},
       {"group"},
       {.name = "concurrency", .kind = Kind::kCount, .count_max = kConcurrencyMax},
       {"ordering"},
       {.name = "retries", .kind = Kind::kCount, .count_min = 0},
       {.name = "backoff", .kind = Kind::kDuration, .time_max = kBackoffMax},
       {"dead-letter-topic"}}};
  return TriggerForm{"message", kKeys};
}

std::span<const Offer> MessagingCapability::handlers() const {
  return kHandlers.offers();
}

TriggerProblems MessagingCapability::check_trigger(const Use& use,
                                                   const TriggerSettings& settings) const {
  TriggerProblems problems;
  std::string broker = text_of(settings, "broker");
  if (!use.allows(broker)) problems.push_back(not_granted(use, name(), "broker", broker));
  std::string pattern = text_of(settings, "topic");
  note(problems, "topic", check_pattern(pattern));
  if (const std::string* topic = settings.find("dead-letter-topic")) {
    note(problems, "dead-letter-topic", check_dead_letter_topic(*topic, pattern));
  }
  if (const std::string* group = settings.find("group")) {
    note(problems, "group", check_group(*group));
  }
  std::string ordering = text_of(settings, "ordering");
  if (!ordering.empty() && ordering != "none" && ordering != "topic" && ordering != "key") {
    problems.push_back({"ordering", fmt::format("ordering is \"{}\"", on_one_line(ordering)),
                        "write \"none\", \"topic\" or \"key\""});
  }
  return problems;
}

// A group has one place in the log, and its messages come to one of its triggers at a time.
std::optional<TriggerProblem> MessagingCapability::check_beside(const TriggerPair& pair) const {
  const std::string* group = pair.one.find("group");
  const std::string* others = pair.before.find("group");
  bool one_broker = text_of(pair.one, "broker") == text_of(pair.before, "broker");
  std::string topic = text_of(pair.before, "topic");
  bool one_topic = text_of(pair.one, "topic") == topic;
  if (!one_broker) return std::nullopt;
  bool one_group = group != nullptr && others != nullptr && *group == *others;
  if (one_group && !one_topic) {
    return TriggerProblem{
        "topic",
        fmt::format("the group \"{}\" is brought \"{}\" by another trigger: triggers of one "
                    "group have one topic",
                    *group, topic),
        "name another group"};
  }
  // Without names theirs is one that the component and the topic make.
  bool unnamed = group == nullptr && others == nullptr;
  if (pair.wake != TriggerPair::Wake::kOneComponent || !one_topic || !(one_group || unnamed)) {
    return std::nullopt;
  }
  return TriggerProblem{"topic",
                        fmt::format("another trigger brings this component \"{}\" for the same "
                                    "group: one of them would be brought nothing",
                                    topic),
                        "take one of them out, or name another group"};
}

TriggerWords MessagingCapability::words(std::string_view component,
                                        const TriggerSettings& settings) const {
  TriggerWords words{.on = text_of(settings, "topic"), .group = group_of(component, settings)};
  std::string broker = text_of(settings, "broker");
  if (!broker.empty()) words.more = fmt::format("broker \"{}\"", broker);
  return words;
}

std::vector<Backlog> MessagingCapability::backlogs() const {
  std::vector<Backlog> all = embedded_->backlogs();
  chosen_.each([&](const Backend& backend) {
    for (Backlog& each : backend.backlogs()) all.push_back(std::move(each));
  });
  return all;
}

std::unique_ptr<Subscription> MessagingCapability::subscribe(const Waking& waking) {
  const TriggerSettings& settings = waking.settings;
  TriggerOptions options{.dead_letter_topic = text_of(settings, "dead-letter-topic")};
  options.wanted.pattern = text_of(settings, "topic");
  options.wanted.group = group_of(waking.component, settings);
  std::string ordering = text_of(settings, "ordering");
  if (ordering == "topic") options.wanted.ordering = Ordering::kTopic;
  if (ordering == "key") options.wanted.ordering = Ordering::kKey;
  if (const std::string* count = settings.find("concurrency")) {
    options.wanted.at_once = std::min<std::size_t>(std::stoul(*count), kConcurrencyMax);
  }
  if (const std::string* count = settings.find("retries")) {
    options.retries = static_cast<unsigned>(std::stoul(*count));
  }
  if (const std::string* time = settings.find("backoff")) {
    if (auto ns = parse_duration_ns(*time)) {
      options.backoff = std::chrono::milliseconds(*ns / 1'000'000);
    }
  }
  std::string name = text_of(settings, "broker");
  Backend* backend = backend_of(waking.use, name);
  CHECK(backend != nullptr);
  return std::make_unique<MessageTrigger>(
      waking, std::move(options), *kHandlers.maker(waking.handler),
      backend->broker(waking.loop, {std::string(waking.app), std::move(name)}));
}

}  // namespace weft::messaging
