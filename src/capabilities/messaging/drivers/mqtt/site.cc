#include "capabilities/messaging/drivers/mqtt/site.h"

#include <fmt/format.h>

#include <random>
#include <utility>

#include "capabilities/messaging/drivers/nats/names.h"
#include "io/loop.h"

namespace weft::messaging::mqtt {
namespace {

using remote::mqtt::Client;
using remote::mqtt::Incoming;
using remote::mqtt::Publish;

std::string random_name() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}", random(), random(), random());
}

std::shared_ptr<const remote::mqtt::Settings> server_of(
    const std::shared_ptr<const Settings>& settings) {
  return {settings, &settings->server};
}

}  // namespace

Site::Site(Loop& loop, std::shared_ptr<const Settings> settings, std::shared_ptr<Place> place,
           std::string client_id)
    : loop_(loop),
      settings_(std::move(settings)),
      place_(std::move(place)),
      client_id_(std::move(client_id)),
      publisher_(std::make_shared<Client>(loop, server_of(settings_),
                                          remote::mqtt::Session{"weft-" + random_name()})),
      inbox_(fmt::format("{}{}.", kReplies, random_name())),
      after_groups_(loop, {place_, &place_->beginnings}),
      asked_(loop) {}

Site::~Site() = default;

std::shared_ptr<Client> Site::group_client(std::string_view group) {
  auto expiry = static_cast<std::uint32_t>(settings_->session.count());
  return std::make_shared<Client>(
      loop_, server_of(settings_),
      remote::mqtt::Session{fmt::format("{}-{}", client_id_, nats::token(group)), expiry,
                            static_cast<std::uint16_t>(kOpenMax)});
}

std::shared_ptr<Client> Site::watching_client() {
  return std::make_shared<Client>(loop_, server_of(settings_), remote::mqtt::Session{});
}

void Site::send(Publish message, Deadline deadline, Done done) {
  message.qos = settings_->qos;
  if (Result<void> room = after_groups_.room(); !room) return done(std::move(room));
  after_groups_.run([client = publisher_, message = std::move(message), deadline,
                     done = std::move(done)]() mutable {
    client->publish(std::move(message), deadline, std::move(done));
  });
}

Answer<void> Site::publish(Request request, const Message& message) {
  TRY(Publish out, to_wire(place_->topics, message));
  Promise<void> promise;
  Answer<void> answer = promise.answer();
  send(std::move(out), request.deadline, [promise = std::move(promise)](Result<void> done) mutable {
    std::move(promise).fulfil(std::move(done));
  });
  return answer;
}

Answer<std::vector<Message>> Site::ask(Request request, Message message, std::size_t replies) {
  TRY(std::uint64_t number, asked_.next_number());
  message.reply_to = fmt::format("{}{}", inbox_, number);
  TRY(Publish out, to_wire(place_->topics, message));
  if (replies_here_) {
    Answer<std::vector<Message>> answer = asked_.add(number, replies, request.deadline);
    send(std::move(out), request.deadline, asked_.when_sent(number));
    return answer;
  }
  Answer<std::vector<Message>> answer =
      asked_.add(number, replies, request.deadline, std::move(out));
  listen_for_replies();
  return answer;
}

void Site::listen_for_replies() {
  if (replies_ != nullptr) return;
  replies_ = std::make_shared<Client>(loop_, server_of(settings_),
                                      remote::mqtt::Session{"weft-" + random_name()});
  Result<std::string> filter = place_->topics.filter(inbox_ + "*");
  replies_->listen(
      *filter, 1,
      [weak = weak_from_this()](const Incoming& came) {
        if (auto self = weak.lock()) self->reply_came(came);
      },
      [weak = weak_from_this()](Result<void> listens) {
        auto self = weak.lock();
        if (self && listens) self->replies_ready();
      });
}

void Site::replies_ready() {
  replies_here_ = true;
  asked_.send_all([this](std::uint64_t number, Publish message, Deadline deadline) {
    send(std::move(message), deadline, asked_.when_sent(number));
  });
}

void Site::reply_came(const Incoming& came) {
  replies_->acknowledge(came.connection, came.message.qos, came.message.id);
  std::optional<Message> message = from_wire(place_->topics, came.message);
  if (!message || !message->topic.starts_with(inbox_)) return;
  std::string number = message->topic.substr(inbox_.size());
  asked_.came(number, *std::move(message));
}

}  // namespace weft::messaging::mqtt
