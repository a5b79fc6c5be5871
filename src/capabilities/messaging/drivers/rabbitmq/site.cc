#include "capabilities/messaging/drivers/rabbitmq/site.h"

#include <fmt/format.h>

#include <utility>

#include "io/loop.h"

namespace weft::messaging::rabbitmq {
namespace {

using remote::amqp::Channel;
using remote::amqp::Client;
using remote::amqp::Incoming;
using remote::amqp::Method;
using remote::amqp::Publish;
using remote::amqp::Routed;

std::shared_ptr<const remote::amqp::Settings> server_of(
    const std::shared_ptr<const Settings>& settings) {
  return {settings, &settings->server};
}

// What is not there closes the channel, and its publisher hears of it.
void prepare(Channel& channel, const Names& names) {
  auto ignore = [](const Result<Method>&) {};
  channel.declare(remote::amqp::ExchangeSpec{.name = names.exchange}, ignore);
  channel.consume({.queue = std::string(kReplyQueue), .consumer = "replies", .no_acks = true},
                  ignore);
}

}  // namespace

void Attempts::put(const std::string& group, const std::string& id, unsigned attempts) {
  std::lock_guard hold(mutex_);
  auto& known = groups_[group];
  if (known.size() < kKnownMax || known.contains(id)) known[id] = attempts;
}

std::optional<unsigned> Attempts::take(const std::string& group, const std::string& id) {
  std::lock_guard hold(mutex_);
  auto found = groups_[group].extract(id);
  if (found.empty()) return std::nullopt;
  return found.mapped();
}

void Attempts::add_group(const std::string& group) {
  std::lock_guard hold(mutex_);
  groups_.try_emplace(group);
}

std::vector<std::string> Attempts::groups() const {
  std::lock_guard hold(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, known] : groups_) names.push_back(name);
  return names;
}

Site::Site(Loop& loop, std::shared_ptr<const Settings> settings, std::shared_ptr<Place> place)
    : loop_(loop),
      settings_(std::move(settings)),
      place_(std::move(place)),
      publishing_(std::make_shared<Client>(loop, server_of(settings_),
                                           fmt::format("{} publishing", place_->names.prefix))),
      groups_(std::make_shared<Client>(loop, server_of(settings_),
                                       fmt::format("{} groups", place_->names.prefix))),
      publisher_(
          publishing_, [place = place_](Channel& channel) { prepare(channel, place->names); },
          [this](Incoming came) { reply_came(std::move(came)); }),
      after_groups_(loop, {place_, &place_->beginnings}),
      asked_(loop) {}

Site::~Site() {
  publishing_->leave();
  groups_->leave();
}

void Site::send(Publish message, Deadline deadline, Done done) {
  auto told = [done = std::move(done)](Result<Routed> routed) mutable {
    if (!routed) return done(std::unexpected(std::move(routed).error()));
    done({});
  };
  if (Result<void> room = after_groups_.room(); !room) {
    return told(std::unexpected(std::move(room).error()));
  }
  after_groups_.run(
      [this, message = std::move(message), deadline, told = std::move(told)]() mutable {
        publisher_.publish(std::move(message), deadline, std::move(told));
      });
}

Answer<void> Site::publish(Request request, const Message& message) {
  TRY(Publish out, to_wire(names(), message));
  Promise<void> promise;
  Answer<void> answer = promise.answer();
  send(std::move(out), request.deadline, [promise = std::move(promise)](Result<void> done) mutable {
    std::move(promise).fulfil(std::move(done));
  });
  return answer;
}

Answer<std::vector<Message>> Site::ask(Request request, Message message, std::size_t replies) {
  TRY(std::uint64_t number, asked_.next_number());
  message.reply_to.reset();
  TRY(Publish out, to_wire(names(), message));
  out.properties.reply_to = kReplyQueue;
  out.properties.correlation = std::to_string(number);
  Answer<std::vector<Message>> answer = asked_.add(number, replies, request.deadline);
  send(std::move(out), request.deadline, asked_.when_sent(number));
  return answer;
}

void Site::reply_came(Incoming came) {
  std::string number = came.properties.correlation.value_or("");
  if (std::optional<Message> message = from_wire(std::move(came))) {
    asked_.came(number, *std::move(message));
  }
}

bool Site::scan_begins(std::move_only_function<bool()> scan) {
  if (scans_.size() >= kScansMax) return false;
  scans_.push_back(std::move(scan));
  if (!scanning_) scan_ends();
  return true;
}

void Site::scan_ends() {
  scanning_ = false;
  while (!scans_.empty() && !scanning_) {
    auto next = std::move(scans_.front());
    scans_.pop_front();
    scanning_ = next();
  }
}

void Site::keep_letter(const DeadLetter& letter, Deadline deadline, Done done) {
  Result<Publish> out = letter_to_wire(names(), letter);
  if (!out) {
    return loop_.defer([done = std::move(done), error = out.error()]() mutable {
      done(std::unexpected(std::move(error)));
    });
  }
  publisher_.publish(
      *std::move(out), deadline, [done = std::move(done)](Result<Routed> routed) mutable {
        if (!routed) return done(std::unexpected(std::move(routed).error()));
        if (*routed == Routed::kTaken) return done({});
        done(failure(Errc::kNotFound, "RabbitMQ: the queue for dead letters is gone"));
      });
}

}  // namespace weft::messaging::rabbitmq
