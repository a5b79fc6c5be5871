#include "capabilities/sensor/drivers/host/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <mutex>
#include <optional>
#include <sstream>
#include <utility>

#include "base/limits.h"
#include "capabilities/sensor/file_number.h"

namespace weft::sensor::host {
namespace {

namespace fs = std::filesystem;

constexpr std::array<DriverKey, 2> kKeys{
    {{"every", DriverKey::Kind::kDuration}, {"root", DriverKey::Kind::kPath}}};

constexpr std::size_t kZonesMax = 256;
// Who asks for the processor's time sooner than this after another is told the same.
constexpr std::chrono::milliseconds kCpuLeast{100};

// Those that every machine has.
constexpr std::array<std::array<std::string_view, 3>, 6> kAlways{
    {{"cpu", "%", "busy, of all processors"},
     {"load-1", "1", "load over a minute"},
     {"load-15", "1", "load over 15 minutes"},
     {"load-5", "1", "load over 5 minutes"},
     {"memory", "%", "in use"},
     {"memory-available", "By", "for programs"}}};
// And behind it the number of a thermal zone.
constexpr std::string_view kZone = "temperature-";
constexpr std::string_view kZoneUnit = "Cel";
constexpr std::size_t kZoneDigitsMax = 9;

// Nothing: no machine has a sensor of that name.
std::optional<std::string_view> unit_of(std::string_view sensor) {
  for (const auto& [name, unit, what] : kAlways) {
    if (name == sensor) return unit;
  }
  if (!sensor.starts_with(kZone)) return std::nullopt;
  std::string_view number = sensor.substr(kZone.size());
  bool digits = std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
  if (number.empty() || number.size() > kZoneDigitsMax || !digits) return std::nullopt;
  return kZoneUnit;
}

struct Cpu {
  double busy = 0;
  double all = 0;
};

// The first line of /proc/stat: user, nice, system, idle, iowait and so on, in ticks.
Result<Cpu> cpu_of(const std::string& stat) {
  std::istringstream line(stat.substr(0, stat.find('\n')));
  std::string word;
  line >> word;
  Cpu cpu;
  double ticks = 0;
  int column = 0;
  for (; column < 8 && line >> ticks; ++column) {
    cpu.all += ticks;
    if (column != 3 && column != 4) cpu.busy += ticks;
  }
  if (word == "cpu" && column >= 4) return cpu;
  return failure(Errc::kUnavailable, "/proc/stat says nothing of the processor");
}

// "MemTotal:  8000 kB", in bytes.
Result<double> memory_of(std::string_view meminfo, std::string_view key) {
  std::size_t at = meminfo.find(fmt::format("{}:", key));
  if (at == meminfo.npos) {
    return failure(Errc::kUnavailable, fmt::format("/proc/meminfo has no {}", key));
  }
  std::string_view line = meminfo.substr(at + key.size() + 1);
  line = line.substr(0, line.find('\n'));
  TRY(double kilobytes, number_of(line.substr(0, line.find("kB")), "/proc/meminfo"));
  return kilobytes * 1024;
}

class HostProbe final : public Probe {
 public:
  explicit HostProbe(const Settings& settings) : root_(settings.root) {}

  Result<std::vector<SensorInfo>> list() override {
    std::vector<SensorInfo> all;
    for (const auto& [name, unit, what] : kAlways) {
      all.emplace_back(std::string(name), std::string(unit), std::string(what));
    }
    for (SensorInfo& zone : zones()) all.push_back(std::move(zone));
    return all;
  }

  Result<Measurement> read(const std::string& sensor) override {
    auto none = failure(Errc::kNotFound, fmt::format("this machine has no sensor \"{}\"", sensor));
    std::optional<std::string_view> unit = unit_of(sensor);
    if (!unit) return none;
    Measurement measurement{.sensor = sensor, .unit = std::string(*unit)};
    Result<double> value = value_of(sensor, measurement);
    if (!value && value.error().code() == Errc::kNotFound) return none;
    TRY(measurement.value, std::move(value));
    measurement.time = calendar();
    return measurement;
  }

 private:
  std::string path(std::string_view below) const { return (fs::path(root_) / below).string(); }

  std::vector<SensorInfo> zones() const {
    std::vector<SensorInfo> all;
    std::error_code none;
    for (fs::directory_iterator each(path("sys/class/thermal"), none), end;
         !none && each != end && all.size() < kZonesMax; each.increment(none)) {
      std::string name = each->path().filename().string();
      constexpr std::string_view kFolder = "thermal_zone";
      if (!name.starts_with(kFolder)) continue;
      std::string type = kernel_text((each->path() / "type").string()).value_or("");
      all.push_back(
          {fmt::format("{}{}", kZone, name.substr(kFolder.size())), std::string(kZoneUnit), type});
    }
    std::ranges::sort(all, {}, &SensorInfo::name);
    return all;
  }

  Result<double> value_of(const std::string& sensor, Measurement& measurement) {
    if (sensor == "cpu") return cpu(measurement);
    if (sensor.starts_with("load-")) {
      TRY(std::string text, kernel_text(path("proc/loadavg")));
      std::istringstream words(text);
      std::string word;
      int place = sensor == "load-1" ? 1 : sensor == "load-5" ? 2 : 3;
      while (place-- > 0) words >> word;
      return number_of(word, "/proc/loadavg");
    }
    if (sensor.starts_with("memory")) {
      TRY(std::string text, kernel_text(path("proc/meminfo")));
      TRY(double available, memory_of(text, "MemAvailable"));
      if (sensor == "memory-available") return available;
      TRY(double total, memory_of(text, "MemTotal"));
      return total > 0 ? 100 * (1 - available / total) : 0;
    }
    std::string zone =
        fmt::format("sys/class/thermal/thermal_zone{}/temp", sensor.substr(kZone.size()));
    TRY(double thousandths, kernel_number(path(zone)));
    return thousandths / 1000;
  }

  // Since it was asked last; at first since the machine began, which is told as uncertain.
  Result<double> cpu(Measurement& measurement) {
    std::lock_guard hold(mutex_);
    auto now = Deadline::Clock::now();
    if (cpu_ && now - cpu_asked_ < kCpuLeast) {
      if (cpu_first_) measurement.quality = Quality::kUncertain;
      return cpu_percent_;
    }
    TRY(std::string stat, kernel_text(path("proc/stat")));
    TRY(Cpu cpu, cpu_of(stat));
    Cpu since = cpu_.value_or(Cpu{});
    cpu_first_ = !cpu_;
    if (cpu_first_) measurement.quality = Quality::kUncertain;
    double all = cpu.all - since.all;
    if (all > 0) cpu_percent_ = std::clamp(100 * (cpu.busy - since.busy) / all, 0.0, 100.0);
    cpu_ = cpu;
    cpu_asked_ = now;
    return cpu_percent_;
  }

  const std::string root_;
  std::mutex mutex_;
  // Guarded: when the processor's time was looked at last, and what came of it.
  std::optional<Cpu> cpu_;
  Deadline::Clock::time_point cpu_asked_{};
  double cpu_percent_ = 0;
  bool cpu_first_ = true;
};

}  // namespace

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<Settings> read_settings(const DriverChoice& choice) {
  Settings settings;
  if (const Secret* root = choice.find("root")) settings.root = root->reveal();
  TRY(settings.every, choice.duration("every", settings.every));
  return settings;
}

std::shared_ptr<Probe> probe(Settings settings) {
  return std::make_shared<HostProbe>(settings);
}

std::unique_ptr<Backend> host_backend(Settings settings) {
  std::chrono::milliseconds every = settings.every;
  return std::make_unique<PolledBackend>(probe(std::move(settings)), every,
                                         PolledBackend::Speed::kBlocks);
}

}  // namespace weft::sensor::host
