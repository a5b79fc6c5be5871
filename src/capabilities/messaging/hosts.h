#pragma once

#include <memory>
#include <string>
#include <vector>

#include "capabilities/capability.h"
#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/trigger.h"

namespace weft::messaging {

// How a provider reaches the brokers that its component, of that app, may use.
class Brokers {
 public:
  virtual ~Brokers() = default;
  // kDenied for a name that is not granted.
  virtual Result<Broker*> find(std::string_view app, std::string_view name) = 0;
  // For packages in which nobody names a broker: the default one, or the only one.
  virtual Result<Broker*> only(std::string_view app) = 0;
  // Those that are granted; at least one.
  virtual std::vector<Broker*> all(std::string_view app) = 0;
};

// How long a request waits for replies where it does not say.
inline constexpr std::chrono::seconds kReplyTime{5};
inline constexpr std::chrono::minutes kReplyTimeMax{5};
// How long what is published may be read from its stream, where the call has no shorter deadline.
inline constexpr std::chrono::minutes kBodyTimeMax{5};

std::unique_ptr<Provider> wasmcloud_consumer(std::unique_ptr<Brokers> brokers);
std::unique_ptr<Provider> wasmcloud_streams_consumer(std::unique_ptr<Brokers> brokers);
std::unique_ptr<Provider> wasi_types(std::unique_ptr<Brokers> brokers);
std::unique_ptr<Provider> wasi_producer(std::unique_ptr<Brokers> brokers);
std::unique_ptr<Provider> wasi_request_reply(std::unique_ptr<Brokers> brokers);

extern const HandlerForm kWasmcloudHandler;
extern const HandlerForm kWasmcloudStreamsHandler;
extern const HandlerForm kWasiHandler;

}  // namespace weft::messaging
