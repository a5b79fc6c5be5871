#include "remote/mqtt/packet.h"

#include <algorithm>

#include "base/check.h"

namespace weft::remote::mqtt {
namespace {

constexpr unsigned kLengthBytesMax = 4;
constexpr std::size_t kTextBytesMax = 65'535;

enum Property : std::uint8_t {
  kContentType = 0x03,
  kResponseTopic = 0x08,
  kCorrelation = 0x09,
  kSessionExpiry = 0x11,
  kServerKeepAlive = 0x13,
  kReason = 0x1f,
  kReceiveMaximum = 0x21,
  kMaximumQos = 0x24,
  kUser = 0x26,
  kPacketMaximum = 0x27,
  kShared = 0x2a,
};

std::unexpected<Error> corrupt(std::string_view what) {
  return failure(Errc::kCorrupt, std::string("MQTT: ") + std::string(what));
}

// Reads within one packet. What is not there makes it fail, once and for all.
class In {
 public:
  explicit In(BytesView bytes) : bytes_(bytes) {}

  bool failed() const { return failed_; }
  std::size_t left() const { return bytes_.size(); }
  BytesView take(std::size_t count) {
    if (count > bytes_.size()) {
      failed_ = true;
      bytes_ = {};
      return {};
    }
    BytesView taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  std::uint8_t byte() {
    BytesView one = take(1);
    return one.empty() ? std::uint8_t{0} : one[0];
  }
  std::uint16_t two() {
    unsigned high = byte();
    return static_cast<std::uint16_t>(high << 8 | byte());
  }
  std::uint32_t four() {
    std::uint32_t high = two();
    return high << 16 | two();
  }
  std::uint32_t variable() {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < kLengthBytesMax; ++i) {
      std::uint8_t next = byte();
      value |= static_cast<std::uint32_t>(next & 0x7f) << (7 * i);
      if ((next & 0x80) == 0) return value;
    }
    failed_ = true;
    return 0;
  }
  std::string text() {
    BytesView bytes = take(two());
    return std::string(as_text(bytes));
  }
  Bytes binary() {
    BytesView bytes = take(two());
    return {bytes.begin(), bytes.end()};
  }

 private:
  BytesView bytes_;
  bool failed_ = false;
};

// Of a property that is of no use here: skipped by its type. False: nobody knows it.
bool skip(In& in, std::uint8_t property) {
  switch (property) {
    case 0x01:
    case 0x17:
    case 0x19:
    case 0x25:
    case 0x28:
    case 0x29: in.take(1); return true;
    case 0x22:
    case 0x23: in.take(2); return true;
    case 0x02:
    case 0x11:
    case 0x18: in.take(4); return true;
    case 0x0b: in.variable(); return true;
    case 0x12:
    case 0x15:
    case 0x1a:
    case 0x1c:
    case 0x16: in.take(in.two()); return true;
    default: return false;
  }
}

Result<Properties> read_properties(In& all) {
  In in(all.take(all.variable()));
  Properties found;
  while (in.left() > 0 && !in.failed()) {
    std::uint8_t property = in.byte();
    switch (property) {
      case kContentType: found.content_type = in.text(); break;
      case kResponseTopic: found.response_topic = in.text(); break;
      case kCorrelation: found.correlation = in.binary(); break;
      case kServerKeepAlive: found.keep_alive = in.two(); break;
      case kReason: found.reason = in.text(); break;
      case kReceiveMaximum: found.receive_maximum = in.two(); break;
      case kMaximumQos: found.maximum_qos = in.byte(); break;
      case kPacketMaximum: found.packet_maximum = in.four(); break;
      case kShared: found.shared = in.byte(); break;
      case kUser: {
        BytesView key = in.take(in.two());
        BytesView value = in.take(in.two());
        // A server would bring a message that is refused for them again and again.
        if (found.user.size() == kUserPropertiesMax) break;
        found.user.emplace_back(as_text(key), as_text(value));
        break;
      }
      default:
        if (!skip(in, property)) return corrupt("a property that nobody knows");
    }
  }
  if (in.failed() || all.failed()) return corrupt("properties that are cut off");
  return found;
}

Result<Packet> read_publish(In& in, std::uint8_t flags) {
  Packet packet{.kind = Kind::kPublish};
  Publish& publish = packet.publish;
  publish.qos = (flags >> 1) & 3;
  publish.again = (flags & 8) != 0;
  publish.retain = (flags & 1) != 0;
  if (publish.qos == 3) return corrupt("a quality of service that is none");
  publish.topic = in.text();
  if (publish.qos > 0) {
    publish.id = in.two();
    if (publish.id == 0) return corrupt("a message without a number");
  }
  TRY(publish.properties, read_properties(in));
  BytesView payload = in.take(in.left());
  publish.payload.assign(payload.begin(), payload.end());
  if (in.failed()) return corrupt("a message that is cut off");
  return packet;
}

void put(Buffer& out, std::uint8_t byte) {
  out.append(BytesView(&byte, 1));
}
void put_two(Buffer& out, std::uint16_t value) {
  put(out, static_cast<std::uint8_t>(value >> 8));
  put(out, static_cast<std::uint8_t>(value));
}
void put_four(Buffer& out, std::uint32_t value) {
  put_two(out, static_cast<std::uint16_t>(value >> 16));
  put_two(out, static_cast<std::uint16_t>(value));
}
void put_variable(Buffer& out, std::size_t value) {
  do {
    auto low = static_cast<std::uint8_t>(value & 0x7f);
    value >>= 7;
    put(out, value > 0 ? low | 0x80 : low);
  } while (value > 0);
}
void put_text(Buffer& out, std::string_view text) {
  CHECK(text.size() <= kTextBytesMax);
  put_two(out, static_cast<std::uint16_t>(text.size()));
  out.append(text);
}
std::size_t variable_size(std::size_t value) {
  return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}
void head(Buffer& out, Kind kind, std::uint8_t flags, std::size_t length) {
  put(out, static_cast<std::uint8_t>(static_cast<std::uint8_t>(kind) << 4 | flags));
  put_variable(out, length);
}

std::size_t properties_size(const Properties& properties) {
  std::size_t size = 0;
  if (properties.content_type) size += 3 + properties.content_type->size();
  if (properties.response_topic) size += 3 + properties.response_topic->size();
  if (properties.correlation) size += 3 + properties.correlation->size();
  for (const auto& [key, value] : properties.user) size += 5 + key.size() + value.size();
  return size;
}

// Behind the head.
std::size_t body_size(const Publish& publish) {
  std::size_t properties = properties_size(publish.properties);
  return 2 + publish.topic.size() + (publish.qos > 0 ? 2 : 0) + variable_size(properties) +
         properties + publish.payload.size();
}

}  // namespace

Result<std::optional<std::size_t>> packet_length(BytesView bytes) {
  std::size_t length = 0;
  for (unsigned i = 0; i < kLengthBytesMax; ++i) {
    if (bytes.size() < 2 + i) return std::nullopt;
    std::uint8_t next = bytes[1 + i];
    length |= static_cast<std::size_t>(next & 0x7f) << (7 * i);
    if ((next & 0x80) != 0) continue;
    if (length > kPacketBytesMax) return corrupt("a packet that is too large");
    return length + 2 + i;
  }
  return corrupt("the length of a packet that is none");
}

Result<Packet> read_packet(BytesView bytes) {
  In in(bytes);
  std::uint8_t first = in.byte();
  if (in.variable() != in.left() || in.failed()) return corrupt("a packet of another length");
  auto kind = static_cast<Kind>(first >> 4);
  Packet packet{.kind = kind};
  switch (kind) {
    case Kind::kPublish: return read_publish(in, first & 15);
    case Kind::kConnack: {
      packet.session = (in.byte() & 1) != 0;
      packet.codes.push_back(in.byte());
      TRY(packet.properties, read_properties(in));
      break;
    }
    case Kind::kPuback:
    case Kind::kPubrec:
    case Kind::kPubrel:
    case Kind::kPubcomp:
      packet.id = in.two();
      if (in.left() > 0) packet.codes.push_back(in.byte());
      if (in.left() > 0) {
        TRY(packet.properties, read_properties(in));
      }
      break;
    case Kind::kSuback:
    case Kind::kUnsuback: {
      packet.id = in.two();
      TRY(packet.properties, read_properties(in));
      while (in.left() > 0) packet.codes.push_back(in.byte());
      break;
    }
    case Kind::kPingresp: break;
    case Kind::kDisconnect:
      if (in.left() > 0) packet.codes.push_back(in.byte());
      if (in.left() > 0) {
        TRY(packet.properties, read_properties(in));
      }
      break;
    default: return corrupt("a packet that no server sends");
  }
  if (in.failed() || in.left() > 0) return corrupt("a packet that is cut off, or goes on");
  return packet;
}

void write(Buffer& out, const Connect& connect) {
  bool user = !connect.user.empty();
  bool password = !connect.password.empty();
  constexpr std::size_t kProperties = 5 + 3 + 5;
  std::size_t length = 6 + 1 + 1 + 2 + 1 + kProperties + 2 + connect.client_id.size();
  if (user) length += 2 + connect.user.size();
  if (password) length += 2 + connect.password.size();
  head(out, Kind::kConnect, 0, length);
  put_text(out, "MQTT");
  put(out, 5);
  put(out, static_cast<std::uint8_t>((user ? 0x80 : 0) | (password ? 0x40 : 0) |
                                     (connect.clean_start ? 0x02 : 0)));
  put_two(out, connect.keep_alive);
  put(out, kProperties);
  put(out, kSessionExpiry);
  put_four(out, connect.session_expiry);
  put(out, kReceiveMaximum);
  put_two(out, connect.receive_maximum);
  put(out, kPacketMaximum);
  put_four(out, kPacketBytesMax);
  put_text(out, connect.client_id);
  if (user) put_text(out, connect.user);
  if (password) put_text(out, connect.password);
}

std::size_t size_of(const Publish& publish) {
  std::size_t body = body_size(publish);
  return 1 + variable_size(body) + body;
}

void write(Buffer& out, const Publish& publish) {
  auto flags = static_cast<std::uint8_t>(publish.qos << 1 | (publish.again ? 8 : 0) |
                                         (publish.retain ? 1 : 0));
  head(out, Kind::kPublish, flags, body_size(publish));
  put_text(out, publish.topic);
  if (publish.qos > 0) put_two(out, publish.id);
  const Properties& properties = publish.properties;
  put_variable(out, properties_size(properties));
  if (properties.content_type) {
    put(out, kContentType);
    put_text(out, *properties.content_type);
  }
  if (properties.response_topic) {
    put(out, kResponseTopic);
    put_text(out, *properties.response_topic);
  }
  if (properties.correlation) {
    put(out, kCorrelation);
    put_text(out, as_text(*properties.correlation));
  }
  for (const auto& [key, value] : properties.user) {
    put(out, kUser);
    put_text(out, key);
    put_text(out, value);
  }
  out.append(BytesView(publish.payload));
}

void write_answer(Buffer& out, Kind kind, std::uint16_t id) {
  head(out, kind, kind == Kind::kPubrel ? 2 : 0, 2);
  put_two(out, id);
}

void write_subscribe(Buffer& out, std::uint16_t id, std::string_view filter, std::uint8_t qos,
                     Kept kept) {
  constexpr std::uint8_t kNoRetained = 2 << 4;
  head(out, Kind::kSubscribe, 2, 2 + 1 + 2 + filter.size() + 1);
  put_two(out, id);
  put(out, 0);
  put_text(out, filter);
  put(out, static_cast<std::uint8_t>(kept == Kept::kWanted ? qos : qos | kNoRetained));
}

void write_ping(Buffer& out) {
  head(out, Kind::kPingreq, 0, 0);
}

void write_disconnect(Buffer& out) {
  head(out, Kind::kDisconnect, 0, 0);
}

std::string_view reason_text(std::uint8_t code) {
  switch (code) {
    case 0x84: return "it does not speak MQTT 5";
    case 0x85: return "it takes no client of that name";
    case 0x86: return "user or password are wrong";
    case 0x87: return "not authorized";
    case 0x88: return "it is not available now";
    case 0x89: return "it is busy";
    case 0x8a: return "this client is banned";
    case 0x8b: return "it shuts down";
    case 0x8e: return "another client of the same name has come";
    case 0x8f: return "it takes no such filter of topics";
    case 0x90: return "it takes no such topic";
    case 0x95: return "the packet is too large for it";
    case 0x97: return "a quota is used up";
    case 0x9b: return "it does not know that quality of service";
    case 0x9e: return "it does not know shared subscriptions";
    default: return "it refuses";
  }
}

}  // namespace weft::remote::mqtt
