// GET / tells the boiler's temperature, and what is wrong.

#include <cstdio>

#include "guest.hpp"
#include "weft/http.h"
#include "weft/keyvalue.h"

namespace sensors = weft::wit::weft::sensor_0_1_0::async_sensors;

weft::Task<> weft::http::handle(Request) {
  auto now = co_await sensors::read("boiler/temperature");
  if (!now) co_return co_await reply(503, "the boiler says nothing\n");
  char text[100];
  std::snprintf(text, sizeof text, "%.1f %s\n", now->value, now->unit.c_str());
  std::string answer = text;
  auto bucket = weft::keyvalue::open("");
  auto alarm = bucket ? bucket->get("alarm") : std::unexpected(bucket.error());
  if (alarm && *alarm) answer += "alarm: " + **alarm + "\n";
  co_await reply(200, answer);
}
