#include "capabilities/messaging/drivers/kafka/site.h"

#include <fmt/format.h>

#include <utility>

#include "capabilities/messaging/drivers/kafka/replies.h"
#include "capabilities/messaging/drivers/nats/names.h"

namespace weft::messaging::kafka {

using remote::kafka::Record;

Result<remote::kafka::Handle> Common::open_consumer(const std::string& group,
                                                    remote::kafka::Options options) const {
  options.emplace_back("group.id", group);
  return remote::kafka::open(settings.server, remote::kafka::Kind::kConsumer, options, endings);
}

Site::Site(Loop& loop, std::shared_ptr<Common> common, std::shared_ptr<Place> place,
           std::shared_ptr<remote::kafka::Producer> producer)
    : loop_(loop),
      common_(std::move(common)),
      place_(std::move(place)),
      producer_(std::move(producer)),
      after_groups_(loop, {place_, &place_->beginnings}) {}

Site::~Site() = default;

std::string Site::group_id(std::string_view group) const {
  return fmt::format("{}.{}", place_->group_prefix, nats::token(group));
}

void Site::send(Record record, Deadline deadline, Done done) {
  if (Result<void> room = after_groups_.room(); !room) return done(std::move(room));
  after_groups_.run([producer = producer_, record = std::move(record), deadline,
                     done = std::move(done)]() mutable {
    producer->send(std::move(record), deadline, std::move(done));
  });
}

void Site::bury(const DeadLetter& letter, Deadline deadline, Done done) {
  Result<Record> record = letter_to_wire(place_->topics, letter);
  if (!record) return done(std::unexpected(std::move(record).error()));
  keep(*std::move(record), deadline, std::move(done));
}

void Site::unbury(const std::string& group, std::uint64_t number, Deadline deadline, Done done) {
  keep(mark_to_wire(place_->topics, group, number), deadline, std::move(done));
}

void Site::keep(Record record, Deadline deadline, Done done) {
  ++burying_;
  producer_->send(std::move(record), deadline,
                  [weak = weak_from_this(), done = std::move(done)](Result<void> kept) mutable {
                    done(std::move(kept));
                    auto self = weak.lock();
                    if (self == nullptr || --self->burying_ > 0) return;
                    for (auto& each : std::exchange(self->when_buried_, {})) each();
                  });
}

Result<void> Site::when_buried(std::move_only_function<void()> then) {
  if (burying_ == 0) {
    then();
  } else if (when_buried_.size() >= kWaitingMax) {
    return failure(Errc::kLimit, fmt::format("{} ask for dead letters already", kWaitingMax));
  } else {
    when_buried_.push_back(std::move(then));
  }
  return {};
}

Answer<void> Site::publish(Request request, const Message& message) {
  TRY(Record record, to_wire(place_->topics, message));
  Promise<void> promise;
  Answer<void> answer = promise.answer();
  send(std::move(record), request.deadline,
       [promise = std::move(promise)](Result<void> done) mutable {
         std::move(promise).fulfil(std::move(done));
       });
  return answer;
}

Answer<std::vector<Message>> Site::ask(Request request, Message message, std::size_t replies) {
  if (replies_ == nullptr) replies_ = std::make_unique<Replies>(*this);
  return replies_->ask(request, std::move(message), replies);
}

}  // namespace weft::messaging::kafka
