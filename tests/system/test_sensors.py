#!/usr/bin/env python3
"""Sensors from end to end: the example, whose component watches a temperature and raises an alarm
by a message; batches, and a stream whose reader is a component; what is said of a wrong file."""

import os
import shutil
import unittest

from client import get
from host import FAST, ROOT, until
from test_build import Folder

# A temperature that swings within two seconds.
FAST_BOILER = """
[sensor.boiler]
driver = "simulated"
sensors = "temperature: wave=sine offset=21 amplitude=6 period=2s unit=Cel; door: wave=square"
every = "20ms"
"""

MANIFEST = """[app]
name = "gauges"
[component.gauge]
build = { language = "c++", sources = ["gauge.cc"], wit = "wit", world = "gauge" }
uses.keyvalue = [""]
uses.sensor = ["boiler"]
[component.web]
build = { language = "c++", sources = ["web.cc"], wit = "wit", world = "web" }
uses.keyvalue = [""]
uses.sensor = ["boiler"]
[[trigger.sensor]]
component = "gauge"
sensor = "boiler/*"
every = "100ms"
most = 50
policy = "all 1000"
[[trigger.http]]
route = "/..."
component = "web"
"""
WIT = """package test:gauges;
world gauge {
  import wasi:keyvalue/store@0.2.0-draft;
  import wasi:keyvalue/atomics@0.2.0-draft;
  import wasi:keyvalue/batch@0.2.0-draft;
  export weft:sensor/handler@0.1.0;
}
world web {
  import wasi:keyvalue/store@0.2.0-draft;
  import wasi:keyvalue/atomics@0.2.0-draft;
  import wasi:keyvalue/batch@0.2.0-draft;
  import weft:sensor/async-sensors@0.1.0;
  export wasi:http/handler@0.3.0;
}
"""
GAUGE = """#include "guest.hpp"
#include "weft/keyvalue.h"
namespace handler = weft::wit::weft::sensor_0_1_0::handler;
using Done = std::expected<void, std::string>;
Done handler::exports::on_measurements(std::vector<handler::Measurement> batch) {
  auto bucket = ::weft::keyvalue::open();
  if (!bucket) return std::unexpected(bucket.error().message);
  bucket->increment("batches");
  bucket->increment("all", batch.size());
  for (const auto& each : batch) bucket->increment("missed", each.missed);
  return {};
}
Done handler::exports::on_crossing(handler::Crossing) { return std::unexpected("no limit"); }
"""
WEB = """#include "guest.hpp"
#include "weft/http.h"
#include "weft/keyvalue.h"
namespace sensors = weft::wit::weft::sensor_0_1_0::async_sensors;
weft::Task<> weft::http::handle(Request request) {
  if (request.path() != "/follow") {
    auto bucket = weft::keyvalue::open();
    auto value = bucket->get(request.path().substr(1));
    co_return co_await reply(200, value && *value ? **value : "0");
  }
  auto all = co_await sensors::list("boiler/*");
  auto stream = sensors::subscribe(request.parameter("of").value_or("boiler/*"),
                                   sensors::Policy::all(100));
  if (!stream) co_return co_await reply(403, "no");
  std::string text = std::to_string(all->size());
  std::uint64_t last = 0;
  for (int i = 0; i < 5; ++i) {
    auto next = co_await stream->next();
    if (!next || next->time <= last || next->missed != 0) co_return co_await reply(500, "wrong");
    last = next->time;
    text += " " + next->sensor + " " + next->unit;
  }
  co_await reply(200, text);
}
"""

POLL_MANIFEST = """[app]
name = "poll"
[component.poll]
build = { language = "c++", sources = ["main.cc"], wit = "wit", world = "poll" }
uses.sensor = ["x"]
"""
POLL_WIT = """package test:poll;
world poll {
  import wasi:io/poll@0.2.12;
  import wasi:io/streams@0.2.12;
  import weft:sensor/sensors@0.1.0;
  import weft:sensor-io/readiness@0.1.0;
  export wasi:cli/run@0.2.12;
}
"""
POLL = """#include <cstdio>
#include "guest.hpp"
namespace sensors = weft::wit::weft::sensor_0_1_0::sensors;
namespace readiness = weft::wit::weft::sensor_io_0_1_0::readiness;
extern "C" bool exports_wasi_cli_run_run() {
  auto all = sensors::subscribe("x/*", sensors::Policy::latest());
  auto ready = readiness::ready(*all);
  auto pollable = ready->subscribe();
  pollable.block();
  auto news = ready->read(16);
  auto batch = all->next(10, 0);
  std::printf("%zu byte, %zu sensors\\n", news->size(), batch->size());
  return true;
}
"""


@unittest.skipIf(FAST, "compiles")
class Sensors(unittest.TestCase):
    def test_the_example(self):
        """An alarm is raised when the temperature is beyond the limit, and goes when it is back."""
        with Folder() as folder:
            app = folder.file("thermostat")
            shutil.copytree(os.path.join(ROOT, "examples", "thermostat"), app,
                            ignore=shutil.ignore_patterns("build"))
            folder.weft("build", "thermostat")
            for file in ("fast.toml", "mqtt.toml"):
                folder.weft("check", "thermostat", "--on", os.path.join("thermostat", file))
            folder.write(FAST_BOILER, "boiler.toml")
            with folder.serve("run", "thermostat", "--on", folder.file("boiler.toml")) as host:
                page = until(lambda: (lambda t: t if "alarm" in t else None)(get(host, "/").text),
                             "an alarm")
                self.assertRegex(page, r"^-?\d+\.\d Cel\nalarm: boiler/temperature is "
                                       r"2[4-7]\.\d Cel, beyond 24\n$")
                until(lambda: "alarm" not in get(host, "/").text, "that it is over")
                until(lambda: "alarm" in get(host, "/").text, "another alarm")
                host.wait_log(r"alarm\.off: boiler/temperature is 2[0-3]\.\d Cel, back within 24")

    def test_batches_and_a_stream(self):
        """Each measurement comes in a batch or is counted, and in order to who follows."""
        with Folder() as folder:
            os.makedirs(folder.file("gauges", "wit"))
            folder.write(MANIFEST, "gauges", "weft.toml")
            folder.write(WIT, "gauges", "wit", "world.wit")
            folder.write(GAUGE, "gauges", "gauge.cc")
            folder.write(WEB, "gauges", "web.cc")
            folder.weft("build", "gauges")
            folder.write(FAST_BOILER, "boiler.toml")
            with folder.serve("run", "gauges", "--on", folder.file("boiler.toml")) as host:
                def number(key):
                    return int(get(host, "/" + key).text)

                until(lambda: number("batches") >= 3 and number("all") >= 20, "some batches")
                self.assertGreaterEqual(number("all"), number("batches"))
                self.assertEqual(number("missed"), 0)
                followed = get(host, "/follow?of=boiler/temperature").text.split()
                self.assertEqual(followed, ["2"] + ["boiler/temperature", "Cel"] * 5)
                self.assertEqual(get(host, "/follow?of=attic/temperature").status, 403)
            # What is wrong is said at its place before anything runs.
            for line, other, what in (
                    ('sensor = "boiler/*"', 'sensor = "attic/*"', "uses.sensor"),
                    ('sensor = "boiler/*"', 'sensor = "boiler"', "SPACE/NAME"),
                    ('policy = "all 1000"', 'policy = "some"', '"latest"'),
                    ("most = 50", 'above = "1"', "batches")):
                folder.write(MANIFEST.replace(line, other), "gauges", "weft.toml")
                done = folder.weft("check", "gauges", code=1)
                self.assertRegex(done.out, r"weft.toml:\d+:\d+: \[\[trigger.sensor\]\]")
                self.assertIn(what, done.out)

    def test_a_pollable(self):
        """In WASI 0.2 a pollable says that something waits."""
        with Folder() as folder:
            os.makedirs(folder.file("poll", "wit"))
            folder.write(POLL_MANIFEST, "poll", "weft.toml")
            folder.write(POLL_WIT, "poll", "wit", "world.wit")
            folder.write(POLL, "poll", "main.cc")
            folder.weft("build", "poll")
            done = folder.weft("run", "--state", folder.file("state"),
                               folder.file("poll", "build", "poll.wasm"))
            self.assertEqual(done.out, "1 byte, 4 sensors\n")


if __name__ == "__main__":
    unittest.main()
