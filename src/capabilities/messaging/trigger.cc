#include "capabilities/messaging/trigger.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "door/values.h"
#include "io/loop.h"

namespace weft::messaging {
namespace {

constexpr std::chrono::seconds kDeadTime{30};

std::chrono::milliseconds pause_after(unsigned attempt, std::chrono::milliseconds backoff) {
  constexpr unsigned kDoublingsMax = 20;
  return std::min(kBackoffMax, backoff * (1 << std::min(attempt - 1, kDoublingsMax)));
}

// What a handler says of itself, without the middle of a character at its end.
void cut_reason(std::string& reason) {
  if (reason.size() <= kReasonBytesMax) return;
  std::size_t end = kReasonBytesMax;
  while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xc0) == 0x80) --end;
  reason.resize(end);
}

}  // namespace

// A call that is under way. Shared by what it calls back, which may outlive the trigger.
struct MessageTrigger::Under {
  std::shared_ptr<MessageTrigger*> trigger;
  HandlerForm form;
  Delivery delivery;
  Handled handled = {};                  // What the handler returned, until the call has ended.
  std::shared_ptr<Body> body = nullptr;  // What it has not read until then.
};

MessageTrigger::MessageTrigger(const Waking& waking, TriggerOptions options, HandlerForm form,
                               std::unique_ptr<Broker> broker)
    : self_(std::make_shared<MessageTrigger*>(this)),
      loop_(waking.loop),
      app_(waking.app),
      component_(waking.component),
      calls_(waking.calls),
      runs_(waking.meter),
      options_(std::move(options)),
      form_(form),
      broker_(std::move(broker)),
      queue_(broker_->subscribe(options_.wanted, *this)) {}

MessageTrigger::~MessageTrigger() {
  *self_ = nullptr;
}

void MessageTrigger::deliver(Delivery delivery) {
  runs_.begin();
  auto under = std::make_shared<Under>(Under{self_, form_, std::move(delivery)});
  calls_.call(
      0,
      [under, &loop = loop_](Writer& out) {
        under->body = under->form.write(out, loop, under->delivery.message);
      },
      [under](Reader& in) { under->handled = under->form.read(in); },
      [under](Result<void> outcome) {
        // A reused instance lives on, and what it still reads would be for nobody.
        under->body.reset();
        MessageTrigger* trigger = *under->trigger;
        if (trigger == nullptr) return;
        trigger->ended(under->delivery, std::move(under->handled), std::move(outcome));
      });
}

void MessageTrigger::ended(const Delivery& delivery, Handled handled, Result<void> outcome) {
  using Kind = Verdict::Kind;
  if (outcome && !handled.well) {
    runs_.end(RunEnd::kFailed);
  } else {
    runs_.end(outcome);
  }
  if (!outcome && outcome.error().code() == Errc::kUnavailable) {
    return queue_->settle(delivery.id, {Kind::kAgain, kNoRoomPause});
  }
  if (!outcome) handled = {.well = false, .reason = std::string(outcome.error().message())};
  if (handled.well) return queue_->settle(delivery.id, {});
  if (!handled.reject && delivery.attempt <= options_.retries) {
    return queue_->settle(delivery.id,
                          {Kind::kFailed, pause_after(delivery.attempt, options_.backoff)});
  }
  runs_.give_up();
  cut_reason(handled.reason);
  log::warn("messaging", "a message is a dead letter now",
            {{"app", app_},
             {"component", component_},
             {"group", options_.wanted.group},
             {"topic", delivery.message.topic},
             {"attempts", std::to_string(delivery.attempt)},
             {"why", handled.reason}});
  if (!options_.dead_letter_topic.empty()) send_dead(delivery.message, handled.reason);
  queue_->settle(delivery.id, {Kind::kDead, {}, std::move(handled.reason)});
}

// Beside the dead letters, which are kept in any case.
void MessageTrigger::send_dead(const Message& message, const std::string& reason) {
  auto told = [app = app_, topic = options_.dead_letter_topic](Result<void> sent) {
    if (!sent) {
      log::warn("messaging", "a dead letter was not published, and is kept only",
                {{"app", app}, {"topic", topic}, {"why", sent.error().message()}});
    }
    return Nothing();
  };
  Result<Message> dead = dead_letter(message, options_.dead_letter_topic, reason);
  if (!dead) {
    told(std::unexpected(std::move(dead).error()));
    return;
  }
  Request request{loop_, Deadline::after(kDeadTime)};
  auto answer = broker_->publish(request, *std::move(dead)).settle(std::move(told));
}

}  // namespace weft::messaging
