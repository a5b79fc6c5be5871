#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

// The packets of MQTT 5.
namespace weft::remote::mqtt {

// Of what a server may send, so that one that went mad takes no memory of the host's. It is told
// the first, and so leaves out what is larger; user properties beyond the second are left out here.
inline constexpr std::size_t kPacketBytesMax = 16UL << 20;
inline constexpr std::size_t kUserPropertiesMax = 1'000;

enum class Kind : std::uint8_t {
  kConnect = 1,
  kConnack = 2,
  kPublish = 3,
  kPuback = 4,
  kPubrec = 5,
  kPubrel = 6,
  kPubcomp = 7,
  kSubscribe = 8,
  kSuback = 9,
  kUnsubscribe = 10,
  kUnsuback = 11,
  kPingreq = 12,
  kPingresp = 13,
  kDisconnect = 14,
};

// Those that are used here, of any packet.
struct Properties {
  std::optional<std::string> content_type = {};
  std::optional<std::string> response_topic = {};
  std::optional<Bytes> correlation = {};
  std::vector<std::pair<std::string, std::string>> user = {};
  std::optional<std::string> reason = {};
  std::optional<std::uint16_t> receive_maximum = {};
  std::optional<std::uint32_t> packet_maximum = {};
  std::optional<std::uint16_t> keep_alive = {};  // The server's own.
  std::optional<std::uint8_t> maximum_qos = {};
  std::optional<std::uint8_t> shared = {};  // Whether it knows shared subscriptions.
};

struct Publish {
  std::string topic;
  Bytes payload = {};
  std::uint8_t qos = 0;
  std::uint16_t id = 0;  // None with QoS 0.
  bool again = false;    // DUP: it may have been sent before.
  // To a server: keep it as the topic's last one. From one: it was kept, and is no news.
  bool retain = false;
  Properties properties = {};
};

// What a server sends, as far as it is read.
struct Packet {
  Kind kind = Kind::kPingresp;
  Publish publish = {};                  // Of kPublish.
  std::uint16_t id = 0;                  // Of all that answer a packet with one.
  std::vector<std::uint8_t> codes = {};  // One, but of kSuback and kUnsuback.
  bool session = false;                  // Of kConnack: it has one of ours.
  Properties properties = {};

  std::uint8_t code() const { return codes.empty() ? 0 : codes.front(); }
};

// The length of the packet at the beginning of the bytes; nothing: more is needed to know. kCorrupt
// for a length that is none, or too large.
Result<std::optional<std::size_t>> packet_length(BytesView bytes);
// One packet of that length. kCorrupt where it is none of a server's.
Result<Packet> read_packet(BytesView packet);

struct Connect {
  std::string client_id = {};
  bool clean_start = true;
  std::uint32_t session_expiry = 0;  // Seconds after the connection's end.
  std::uint16_t keep_alive = 30;
  std::uint16_t receive_maximum = 65'535;
  std::string user = {};
  std::string_view password = {};
};

void write(Buffer& out, const Connect& connect);
void write(Buffer& out, const Publish& publish);
// kPuback, kPubrec, kPubrel and kPubcomp, where all is well.
void write_answer(Buffer& out, Kind kind, std::uint16_t id);
// Whether what the server kept from before is for who comes now.
enum class Kept : std::uint8_t { kUnwanted, kWanted };
void write_subscribe(Buffer& out, std::uint16_t id, std::string_view filter, std::uint8_t qos,
                     Kept kept);
void write_ping(Buffer& out);
void write_disconnect(Buffer& out);
// Of the packet that `write` makes.
std::size_t size_of(const Publish& publish);

// What a reason code above 127 says.
std::string_view reason_text(std::uint8_t code);

}  // namespace weft::remote::mqtt
