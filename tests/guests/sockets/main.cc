// A command that uses WASI 0.2 sockets and says what it was told: `tcp ADDRESS PORT` connects,
// sends "ping" and prints the answer; `udp ADDRESS PORT` does that with a datagram; `listen ADDRESS
// PORT` listens, prints its port, and greets one client; `lookup NAME` prints the first address.
// ADDRESS is an IPv4 address or ::1. A refusal prints "error" and the code.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "guest.h"

namespace {

using Address = wasi_sockets_network_ip_socket_address_t;
using Code = wasi_sockets_network_error_code_t;

constexpr Code kWouldBlock = WASI_SOCKETS_NETWORK_ERROR_CODE_WOULD_BLOCK;

Address address(const char* text, const char* port) {
  Address out{};
  auto number = static_cast<std::uint16_t>(std::atoi(port));
  if (std::string_view(text) == "::1") {
    out.tag = WASI_SOCKETS_NETWORK_IP_SOCKET_ADDRESS_IPV6;
    out.val.ipv6.port = number;
    out.val.ipv6.address.f7 = 1;
    return out;
  }
  unsigned a = 0, b = 0, c = 0, d = 0;
  std::sscanf(text, "%u.%u.%u.%u", &a, &b, &c, &d);
  out.tag = WASI_SOCKETS_NETWORK_IP_SOCKET_ADDRESS_IPV4;
  out.val.ipv4.port = number;
  out.val.ipv4.address = {static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b),
                          static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(d)};
  return out;
}

int fail(const char* what, Code code) {
  std::printf("error %d at %s\n", code, what);
  return 1;
}

template <class Make>
void block_on(Make pollable) {
  wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(pollable));
  wasi_io_poll_pollable_drop_own(pollable);
}

// Calls `finish` until it has an answer.
template <class Finish>
bool finished(wasi_sockets_tcp_borrow_tcp_socket_t self, Code& code, Finish finish) {
  while (!finish()) {
    if (code != kWouldBlock) return false;
    block_on(wasi_sockets_tcp_method_tcp_socket_subscribe(self));
  }
  return true;
}

void say(wasi_io_streams_own_output_stream_t stream, std::string_view text) {
  guest_list_u8_t list{
      const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data())), text.size()};
  wasi_io_streams_stream_error_t error;
  auto self = wasi_io_streams_borrow_output_stream(stream);
  (void)wasi_io_streams_method_output_stream_blocking_write_and_flush(self, &list, &error);
}

std::string hear(wasi_io_streams_own_input_stream_t stream) {
  guest_list_u8_t piece;
  wasi_io_streams_stream_error_t error;
  auto self = wasi_io_streams_borrow_input_stream(stream);
  if (!wasi_io_streams_method_input_stream_blocking_read(self, 1024, &piece, &error)) return "";
  return {reinterpret_cast<const char*>(piece.ptr), piece.len};
}

bool tcp_socket(const Address& where, wasi_sockets_tcp_own_tcp_socket_t& socket, Code& code) {
  bool four = where.tag == WASI_SOCKETS_NETWORK_IP_SOCKET_ADDRESS_IPV4;
  auto family = four ? WASI_SOCKETS_NETWORK_IP_ADDRESS_FAMILY_IPV4
                     : WASI_SOCKETS_NETWORK_IP_ADDRESS_FAMILY_IPV6;
  return wasi_sockets_tcp_create_socket_create_tcp_socket(family, &socket, &code);
}

int tcp(Address where) {
  Code code = 0;
  wasi_sockets_tcp_own_tcp_socket_t socket;
  if (!tcp_socket(where, socket, code)) return fail("create", code);
  auto self = wasi_sockets_tcp_borrow_tcp_socket(socket);
  auto network = wasi_sockets_instance_network_instance_network();
  if (!wasi_sockets_tcp_method_tcp_socket_start_connect(
          self, wasi_sockets_network_borrow_network(network), &where, &code)) {
    return fail("connect", code);
  }
  wasi_sockets_tcp_tuple2_own_input_stream_own_output_stream_t streams;
  if (!finished(self, code, [&] {
        return wasi_sockets_tcp_method_tcp_socket_finish_connect(self, &streams, &code);
      })) {
    return fail("connect", code);
  }
  say(streams.f1, "ping");
  std::printf("%s\n", hear(streams.f0).c_str());
  return 0;
}

int listen(Address where) {
  Code code = 0;
  wasi_sockets_tcp_own_tcp_socket_t socket;
  if (!tcp_socket(where, socket, code)) return fail("create", code);
  auto self = wasi_sockets_tcp_borrow_tcp_socket(socket);
  auto network = wasi_sockets_instance_network_instance_network();
  bool bound = wasi_sockets_tcp_method_tcp_socket_start_bind(
                   self, wasi_sockets_network_borrow_network(network), &where, &code) &&
               finished(self, code, [&] {
                 return wasi_sockets_tcp_method_tcp_socket_finish_bind(self, &code);
               });
  if (!bound) return fail("bind", code);
  bool listening =
      wasi_sockets_tcp_method_tcp_socket_start_listen(self, &code) && finished(self, code, [&] {
        return wasi_sockets_tcp_method_tcp_socket_finish_listen(self, &code);
      });
  if (!listening) return fail("listen", code);
  Address local;
  wasi_sockets_tcp_method_tcp_socket_local_address(self, &local, &code);
  std::printf("port %d\n", local.val.ipv4.port);
  std::fflush(stdout);
  wasi_sockets_tcp_tuple3_own_tcp_socket_own_input_stream_own_output_stream_t client;
  if (!finished(self, code,
                [&] { return wasi_sockets_tcp_method_tcp_socket_accept(self, &client, &code); })) {
    return fail("accept", code);
  }
  say(client.f2, "welcome");
  return 0;
}

int udp(Address where) {
  Code code = 0;
  wasi_sockets_udp_own_udp_socket_t socket;
  if (!wasi_sockets_udp_create_socket_create_udp_socket(WASI_SOCKETS_NETWORK_IP_ADDRESS_FAMILY_IPV4,
                                                        &socket, &code)) {
    return fail("create", code);
  }
  auto self = wasi_sockets_udp_borrow_udp_socket(socket);
  auto network = wasi_sockets_instance_network_instance_network();
  Address any = address("0.0.0.0", "0");
  if (!wasi_sockets_udp_method_udp_socket_start_bind(
          self, wasi_sockets_network_borrow_network(network), &any, &code) ||
      !wasi_sockets_udp_method_udp_socket_finish_bind(self, &code)) {
    return fail("bind", code);
  }
  wasi_sockets_udp_tuple2_own_incoming_datagram_stream_own_outgoing_datagram_stream_t streams;
  if (!wasi_sockets_udp_method_udp_socket_stream(self, nullptr, &streams, &code)) {
    return fail("stream", code);
  }
  auto out = wasi_sockets_udp_borrow_outgoing_datagram_stream(streams.f1);
  std::uint64_t count = 0;
  while (wasi_sockets_udp_method_outgoing_datagram_stream_check_send(out, &count, &code) &&
         count == 0) {
    block_on(wasi_sockets_udp_method_outgoing_datagram_stream_subscribe(out));
  }
  wasi_sockets_udp_outgoing_datagram_t datagram{};
  datagram.data = {reinterpret_cast<std::uint8_t*>(const_cast<char*>("ping")), 4};
  datagram.remote_address = {true, where};
  wasi_sockets_udp_list_outgoing_datagram_t list{&datagram, 1};
  if (!wasi_sockets_udp_method_outgoing_datagram_stream_send(out, &list, &count, &code)) {
    return fail("send", code);
  }
  auto in = wasi_sockets_udp_borrow_incoming_datagram_stream(streams.f0);
  wasi_sockets_udp_list_incoming_datagram_t heard;
  while (wasi_sockets_udp_method_incoming_datagram_stream_receive(in, 1, &heard, &code) &&
         heard.len == 0) {
    block_on(wasi_sockets_udp_method_incoming_datagram_stream_subscribe(in));
  }
  std::printf("%.*s\n", static_cast<int>(heard.ptr->data.len),
              reinterpret_cast<const char*>(heard.ptr->data.ptr));
  return 0;
}

int lookup(char* name) {
  Code code = 0;
  auto network = wasi_sockets_instance_network_instance_network();
  guest_string_t text{reinterpret_cast<std::uint8_t*>(name), std::strlen(name)};
  wasi_sockets_ip_name_lookup_own_resolve_address_stream_t stream;
  if (!wasi_sockets_ip_name_lookup_resolve_addresses(wasi_sockets_network_borrow_network(network),
                                                     &text, &stream, &code)) {
    return fail("lookup", code);
  }
  auto self = wasi_sockets_ip_name_lookup_borrow_resolve_address_stream(stream);
  wasi_sockets_ip_name_lookup_option_ip_address_t found;
  while (!wasi_sockets_ip_name_lookup_method_resolve_address_stream_resolve_next_address(
      self, &found, &code)) {
    if (code != kWouldBlock) return fail("lookup", code);
    block_on(wasi_sockets_ip_name_lookup_method_resolve_address_stream_subscribe(self));
  }
  std::printf("%s\n", found.is_some ? "found" : "nothing");
  return 0;
}

}  // namespace

int main(int count, char** words) {
  std::string_view verb = count > 2 ? words[1] : "";
  if (verb == "lookup") return lookup(words[2]);
  if (count != 4) return 2;
  Address where = address(words[2], words[3]);
  if (verb == "tcp") return tcp(where);
  if (verb == "udp") return udp(where);
  return verb == "listen" ? listen(where) : 2;
}
