// Tells others when the boiler's temperature goes beyond its limit, and when it is back.

#include <cstdio>

#include "guest.hpp"

namespace handler = weft::wit::weft::sensor_0_1_0::handler;
namespace messaging = weft::wit::wasmcloud::messaging_0_2_0;

namespace {

using Done = std::expected<void, std::string>;

}  // namespace

Done handler::exports::on_crossing(handler::Crossing what) {
  char text[200];
  std::snprintf(text, sizeof text, "%s is %.1f %s, %s %g", what.measurement.sensor.c_str(),
                what.measurement.value, what.measurement.unit.c_str(),
                what.beyond ? "beyond" : "back within", what.limit);
  messaging::types::BrokerMessage message;
  message.subject = what.beyond ? "alarm.on" : "alarm.off";
  message.body.assign(text, text + std::string_view(text).size());
  // What is not published is an error, for which weft calls again.
  return messaging::consumer::publish(message);
}

Done handler::exports::on_measurements(std::vector<handler::Measurement>) {
  return std::unexpected("this component is for limits: write above or below");
}
