#include "capabilities/sensor/drivers/simulated/simulated.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>
#include <utility>

#include "base/fnv.h"
#include "base/limits.h"
#include "capabilities/sensor/entries.h"

namespace weft::sensor::simulated {
namespace {

constexpr std::array<DriverKey, 3> kKeys{
    {{"sensors"}, {"seed"}, {"every", DriverKey::Kind::kDuration}}};

constexpr std::array<std::pair<std::string_view, Wave>, 6> kWaves{{{"constant", Wave::kConstant},
                                                                   {"sine", Wave::kSine},
                                                                   {"triangle", Wave::kTriangle},
                                                                   {"square", Wave::kSquare},
                                                                   {"noise", Wave::kNoise},
                                                                   {"walk", Wave::kWalk}}};

// What there is where nobody chose anything.
constexpr std::string_view kByDefault =
    "temperature: wave=sine offset=21 amplitude=4 period=2m unit=Cel;"
    "humidity: wave=walk offset=45 amplitude=15 period=10m unit=%;"
    "pressure: wave=walk offset=1013 amplitude=20 period=1h unit=hPa;"
    "door: wave=square offset=0.5 amplitude=0.5 period=1m unit=1";

// Of a walk: the number of ever shorter and smaller waves that it is a sum of.
constexpr int kOctaves = 6;

// A number that looks as if by chance, and is the same for the same three (splitmix64).
std::uint64_t mixed(std::uint64_t seed, std::uint64_t which, std::int64_t step) {
  std::uint64_t x = seed * 0x9e3779b97f4a7c15 + which * 0xbf58476d1ce4e5b9 +
                    static_cast<std::uint64_t>(step) * 0x94d049bb133111eb;
  for (int i = 0; i < 2; ++i) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    x ^= x >> 31;
  }
  return x;
}

// From 0 to 1.
double chance(std::uint64_t seed, std::uint64_t which, std::int64_t step) {
  return static_cast<double>(mixed(seed, which, step) >> 11) / static_cast<double>(1ULL << 53);
}

// Wanders without a jump between -1 and 1.
double walk(std::uint64_t seed, std::uint64_t which, std::chrono::nanoseconds period,
            Instant time) {
  double sum = 0;
  double most = 0;
  double weight = 1;
  std::int64_t length = std::max<std::int64_t>(period.count(), 1);
  for (int octave = 0; octave < kOctaves; ++octave) {
    std::int64_t step = time.count() / length;
    double within = static_cast<double>(time.count() % length) / static_cast<double>(length);
    std::uint64_t salt = which + static_cast<std::uint64_t>(octave) + 1;
    double from = chance(seed, salt, step);
    double to = chance(seed, salt, step + 1);
    double smooth = within * within * (3 - 2 * within);
    sum += weight * (2 * (from + (to - from) * smooth) - 1);
    most += weight;
    weight *= std::numbers::sqrt2 / 2;
    length = std::max<std::int64_t>(length / 2, 1);
  }
  return sum / most;
}

Result<Signal> read_signal(const Entry& entry) {
  Signal signal;
  signal.sensor.name = entry.name;
  const std::string* unit = entry.find("unit");
  signal.sensor.unit = unit == nullptr ? "1" : *unit;
  if (const std::string* wave = entry.find("wave")) {
    auto known = std::ranges::find(kWaves, *wave, [](const auto& each) { return each.first; });
    if (known == kWaves.end()) {
      return failure(Errc::kInvalid,
                     fmt::format("sensors: {}: wave={} is none of constant, sine, triangle, "
                                 "square, noise, walk",
                                 entry.name, *wave));
    }
    signal.wave = known->second;
  }
  TRY(signal.offset, entry.number("offset", signal.offset));
  TRY(signal.amplitude, entry.number("amplitude", signal.amplitude));
  TRY(signal.dropout, entry.number("dropout", 0));
  if (signal.dropout < 0 || signal.dropout > 1) {
    return failure(Errc::kInvalid, fmt::format("sensors: {}: dropout is from 0 to 1", entry.name));
  }
  if (const std::string* period = entry.find("period")) {
    Result<std::uint64_t> ns = parse_duration_ns(*period);
    constexpr std::chrono::nanoseconds kMost = std::chrono::hours(24 * 366);
    if (!ns || *ns < 1'000'000 || *ns > static_cast<std::uint64_t>(kMost.count())) {
      return failure(
          Errc::kInvalid,
          fmt::format("sensors: {}: period={} is no time from 1ms to a year", entry.name, *period));
    }
    signal.period = std::chrono::nanoseconds(*ns);
  }
  signal.sensor.description = "simulated";
  return signal;
}

class SimulatedProbe final : public Probe {
 public:
  explicit SimulatedProbe(Settings settings) : settings_(std::move(settings)) {
    std::ranges::sort(settings_.signals, {}, [](const Signal& each) { return each.sensor.name; });
  }

  Result<std::vector<SensorInfo>> list() override {
    std::vector<SensorInfo> all;
    for (const Signal& each : settings_.signals) all.push_back(each.sensor);
    return all;
  }
  Result<Measurement> read(const std::string& sensor) override {
    auto found = std::ranges::find(settings_.signals, sensor,
                                   [](const Signal& each) { return each.sensor.name; });
    if (found == settings_.signals.end()) {
      return failure(Errc::kNotFound, fmt::format("there is no sensor \"{}\"", sensor));
    }
    Instant now = settings_.now();
    // Chance of its own, beside that of the wave.
    std::int64_t step = now / settings_.every;
    if (chance(~settings_.seed, fnv1a(sensor), step) < found->dropout) {
      return failed(found->sensor, now);
    }
    return Measurement{sensor, value_at(*found, settings_.seed, settings_.every, now),
                       found->sensor.unit, now};
  }

 private:
  Settings settings_;
};

}  // namespace

double value_at(const Signal& signal, std::uint64_t seed, std::chrono::nanoseconds step,
                Instant time) {
  double phase = static_cast<double>(time.count() % signal.period.count()) /
                 static_cast<double>(signal.period.count());
  double wave = 0;
  switch (signal.wave) {
    case Wave::kConstant: break;
    case Wave::kSine: wave = std::sin(2 * std::numbers::pi * phase); break;
    case Wave::kTriangle: wave = 4 * std::abs(std::fmod(phase + 0.75, 1.0) - 0.5) - 1; break;
    case Wave::kSquare: wave = phase < 0.5 ? 1 : -1; break;
    case Wave::kNoise: wave = 2 * chance(seed, fnv1a(signal.sensor.name), time / step) - 1; break;
    case Wave::kWalk: wave = walk(seed, fnv1a(signal.sensor.name), signal.period, time); break;
  }
  return signal.offset + signal.amplitude * wave;
}

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<Settings> read_settings(const DriverChoice& choice) {
  Settings settings;
  const Secret* sensors = choice.find("sensors");
  TRY(std::vector<Entry> entries,
      read_entries(sensors == nullptr ? kByDefault : sensors->reveal(),
                   {"wave", "offset", "amplitude", "period", "dropout", "unit"}));
  for (const Entry& each : entries) {
    TRY(Signal signal, read_signal(each));
    settings.signals.push_back(std::move(signal));
  }
  if (const Secret* seed = choice.find("seed")) {
    std::string_view text = seed->reveal();
    auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), settings.seed);
    if (wrong != std::errc() || end != text.data() + text.size()) {
      return failure(Errc::kInvalid, "seed: a whole number, as text");
    }
  }
  TRY(settings.every, choice.duration("every", settings.every));
  return settings;
}

std::shared_ptr<Probe> probe(Settings settings) {
  return std::make_shared<SimulatedProbe>(std::move(settings));
}

std::unique_ptr<Backend> simulated_backend(Settings settings) {
  std::chrono::milliseconds every = settings.every;
  return std::make_unique<PolledBackend>(probe(std::move(settings)), every,
                                         PolledBackend::Speed::kAtOnce);
}

}  // namespace weft::sensor::simulated
