#include "capabilities/sensor/drivers/iio/iio.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <utility>

#include "capabilities/sensor/file_number.h"

namespace weft::sensor::iio {
namespace {

namespace fs = std::filesystem;

constexpr std::array<DriverKey, 2> kKeys{
    {{"every", DriverKey::Kind::kDuration}, {"path", DriverKey::Kind::kPath}}};

constexpr std::size_t kDevicesMax = 256;

// What a kind of channel says, in the kernel's unit, and that as it is told.
struct Type {
  std::string_view name;
  std::string_view unit;
  double factor = 1;
};
constexpr std::array<Type, 20> kTypes{{{"accel", "m/s2"},
                                       {"angl", "rad"},
                                       {"anglvel", "rad/s"},
                                       {"capacitance", "nF"},
                                       {"concentration", "%"},
                                       {"current", "A", 0.001},
                                       {"distance", "m"},
                                       {"electricalconductivity", "S/m"},
                                       {"energy", "J"},
                                       {"gravity", "m/s2"},
                                       {"humidityrelative", "%", 0.001},
                                       {"illuminance", "lx"},
                                       {"magn", "G"},
                                       {"ph", "[pH]"},
                                       {"power", "W", 0.001},
                                       {"pressure", "kPa"},
                                       {"resistance", "Ohm"},
                                       {"temp", "Cel", 0.001},
                                       {"velocity", "m/s"},
                                       {"voltage", "V", 0.001}}};
// Of any other: a number as the driver of the kernel has it.
constexpr Type kOther{"", "1"};

struct Channel {
  fs::path folder;
  std::string name;        // "voltage0"
  bool processed = false;  // There is in_*_input, in the kernel's unit already.
};

std::string_view letters_of(std::string_view channel) {
  auto end = std::ranges::find_if_not(channel, [](char c) { return c >= 'a' && c <= 'z'; });
  return channel.substr(0, static_cast<std::size_t>(end - channel.begin()));
}

const Type& type_of(std::string_view channel) {
  auto found = std::ranges::find(kTypes, letters_of(channel), &Type::name);
  return found == kTypes.end() ? kOther : *found;
}

// The channel's own file, or that of all channels of its type; `otherwise` where there is neither.
Result<double> shared_number(const Channel& channel, std::string_view what, double otherwise) {
  for (std::string_view of : {std::string_view(channel.name), letters_of(channel.name)}) {
    Result<double> value =
        kernel_number((channel.folder / fmt::format("in_{}_{}", of, what)).string());
    if (value || value.error().code() != Errc::kNotFound) return value;
  }
  return otherwise;
}

Result<double> value_of(const Channel& channel) {
  double factor = type_of(channel.name).factor;
  if (channel.processed) {
    TRY(double value,
        kernel_number((channel.folder / fmt::format("in_{}_input", channel.name)).string()));
    return value * factor;
  }
  TRY(double raw,
      kernel_number((channel.folder / fmt::format("in_{}_raw", channel.name)).string()));
  TRY(double offset, shared_number(channel, "offset", 0));
  TRY(double scale, shared_number(channel, "scale", 1));
  return (raw + offset) * scale * factor;
}

class IioProbe final : public Probe {
 public:
  explicit IioProbe(const Settings& settings) : path_(settings.path) {}

  Result<std::vector<SensorInfo>> list() override {
    TRY(Channels channels, find());
    std::vector<SensorInfo> all;
    for (const auto& [name, channel] : channels) all.push_back(info_of(name, channel));
    return all;
  }

  Result<Measurement> read(const std::string& sensor) override {
    TRY(Channels channels, find());
    auto found = channels.find(sensor);
    if (found == channels.end()) {
      return failure(Errc::kNotFound, fmt::format("no device has a sensor \"{}\"", sensor));
    }
    return measured(sensor, found->second);
  }

  Result<std::vector<Reading>> readings(const Wants& wants) override {
    TRY(Channels channels, find());
    std::vector<Reading> all;
    for (const auto& [name, channel] : channels) {
      if (wants(name)) all.push_back({info_of(name, channel), measured(name, channel)});
    }
    return all;
  }

 private:
  using Channels = std::map<std::string, Channel, std::less<>>;

  static SensorInfo info_of(const std::string& sensor, const Channel& channel) {
    return {sensor, std::string(type_of(channel.name).unit),
            fmt::format("{}: {}", channel.folder.filename().string(), channel.name)};
  }
  static Result<Measurement> measured(const std::string& sensor, const Channel& channel) {
    Result<double> value = value_of(channel);
    // It was there a moment ago.
    if (!value) return failure(Errc::kUnavailable, value.error().message());
    return Measurement{sensor, *value, std::string(type_of(channel.name).unit), calendar()};
  }

  // By DEVICE/CHANNEL. Devices come and go, so each question looks.
  Result<Channels> find() const {
    std::error_code problem;
    std::vector<fs::path> devices;
    for (fs::directory_iterator each(path_, problem), end;
         !problem && each != end && devices.size() < kDevicesMax; each.increment(problem)) {
      if (each->path().filename().string().starts_with("iio:device")) {
        devices.push_back(each->path());
      }
    }
    if (problem) {
      return failure(Errc::kUnavailable,
                     fmt::format("cannot look into {}: {}", path_, problem.message()));
    }
    std::ranges::sort(devices);
    std::map<std::string, int> named;
    for (const fs::path& device : devices) ++named[name_of(device)];
    Channels channels;
    for (const fs::path& device : devices) {
      std::string name = name_of(device);
      // Two of a kind are told apart by their numbers.
      if (named[name] > 1)
        name += device.filename().string().substr(sizeof("iio:device") - 1).insert(0, "-");
      add(device, name, channels);
    }
    return channels;
  }

  static std::string name_of(const fs::path& device) {
    std::string name = kernel_text((device / "name").string()).value_or("");
    bool plain = check_name("space/" + name).has_value() && !name.contains('*');
    return plain ? name : device.filename().string();
  }

  static void add(const fs::path& device, const std::string& name, Channels& into) {
    std::error_code gone;
    for (fs::directory_iterator each(device, gone), end; !gone && each != end;
         each.increment(gone)) {
      std::string file = each->path().filename().string();
      bool processed = file.ends_with("_input");
      if (!file.starts_with("in_") || (!processed && !file.ends_with("_raw"))) continue;
      std::string_view channel = std::string_view(file).substr(3);
      channel = channel.substr(0, channel.rfind('_'));
      std::string sensor = fmt::format("{}/{}", name, channel);
      if (into.size() >= kSensorsMax && !into.contains(sensor)) continue;
      Channel& found = into.try_emplace(sensor, device, std::string(channel)).first->second;
      found.processed = found.processed || processed;
    }
  }

  const std::string path_;
};

}  // namespace

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<Settings> read_settings(const DriverChoice& choice) {
  Settings settings;
  if (const Secret* path = choice.find("path")) settings.path = path->reveal();
  TRY(settings.every, choice.duration("every", settings.every));
  return settings;
}

std::shared_ptr<Probe> probe(Settings settings) {
  return std::make_shared<IioProbe>(settings);
}

std::unique_ptr<Backend> iio_backend(Settings settings) {
  std::chrono::milliseconds every = settings.every;
  return std::make_unique<PolledBackend>(probe(std::move(settings)), every,
                                         PolledBackend::Speed::kBlocks);
}

}  // namespace weft::sensor::iio
