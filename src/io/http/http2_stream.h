#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "io/http/exchange.h"
#include "io/http/http2_session.h"
#include "io/http/parser.h"

namespace weft {

// Names and values in one piece of memory, which may still move.
class FieldList {
 public:
  void add(std::string_view name, std::string_view value);
  // The same, with the name in lower case.
  void add_lower(std::string_view name, std::string_view value);
  std::vector<Header> views() const;
  std::size_t size() const { return fields_.size(); }
  bool empty() const { return fields_.empty(); }

 private:
  struct Field {
    std::uint32_t name;
    std::uint32_t value;
    std::uint32_t end;
  };
  std::string text_;
  std::vector<Field> fields_;
};

// One request of an HTTP/2 connection. What nghttp2 calls only changes its state; events go out in
// `dispatch`, at the end of what came or of a turn.
//
// Referred to by its session while the stream is open, by the session's list of what is to be done,
// and by the serving side while it has the exchange; the last one deletes it.
class Http2Stream final : public HttpExchange {
 public:
  using Time = Deadline::Clock::time_point;

  Http2Stream(Http2Session& session, std::int32_t id);

  Loop& loop() override;
  const RequestHead& request() const override { return head_; }
  std::string_view peer() override { return *peer_; }
  bool secure() const override;
  BytesView body() override;
  void consume_body(std::size_t count) override;
  BodyState body_state() override;
  std::span<const Header> request_trailers() const override { return trailers_; }
  Result<void> begin_response(int status, std::span<const Header> headers,
                              std::optional<std::uint64_t> content_length) override;
  bool write(BytesView bytes) override;
  std::size_t writable() override;
  void finish() override;
  void finish_with_trailers(std::span<const Header> trailers) override;
  void abort() override;

  // For the session and its callbacks.
  void ref() { ++refs_; }
  void unref();
  std::size_t place = 0;
  bool touched = false;

  // What came. add_field: false when the client goes on far beyond the limits.
  bool add_field(std::string_view name, std::string_view value);
  void bad_field();
  void begin_trailers() { in_trailers_ = true; }
  void end_head(bool whole);
  void add_data(BytesView bytes);
  void end_body();
  void closed();
  // What goes. take: the next bytes of the body, -1 when there are none for now.
  void flush();
  long take(std::span<std::uint8_t> into, std::uint32_t& flags);
  void sent_end();

  void dispatch();
  void on_time(Time now);
  void lost();

 private:
  ~Http2Stream() override = default;
  void release() override;

  // The request, and what follows from both (http2_stream.cc).
  void start();
  bool read_head();
  void join_cookies();
  void touch();
  void report();
  std::size_t unread() const { return body_.size() - body_pos_; }
  std::size_t buffered() const { return pending_.size() - pending_pos_; }
  void drop_body();

  // The response (http2_response.cc).
  void ask_for_body();
  void refuse(HttpRefusal problem);
  void answer_problem(HttpRefusal problem);
  void submit();
  void reset(std::uint32_t error);

  Http2Session* session_;  // Null once the stream is closed.
  // Shared: an exchange may be held beyond listener and connection.
  std::shared_ptr<HttpListener> listener_;
  std::shared_ptr<const std::string> peer_;
  std::shared_ptr<std::size_t> held_count_;
  const std::int32_t stream_id_;
  unsigned refs_ = 1;

  bool fresh_ = false;  // The head is whole and nobody was asked yet.
  bool held_ = false;
  bool reported_ = true;
  bool told_gone_ = true;  // False: it went, and its listener does not know.

  // The request.
  FieldList fields_;
  FieldList trailer_fields_;
  std::vector<Header> headers_;
  std::vector<Header> trailers_;
  std::string cookies_;
  RequestHead head_;
  std::size_t head_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  HttpRefusal problem_;
  bool in_trailers_ = false;
  bool body_ended_ = false;
  bool discard_ = false;  // Nobody wants the rest of the body.
  Buffer body_;
  std::size_t body_pos_ = 0;
  std::uint64_t body_came_ = 0;
  std::uint64_t body_taken_ = 0;
  bool body_wanted_ = false;
  bool continue_due_ = false;

  // The response.
  FieldList response_;
  FieldList response_trailers_;
  Buffer pending_;
  std::size_t pending_pos_ = 0;
  int status_ = 0;
  std::optional<std::uint64_t> length_;
  std::uint64_t written_ = 0;
  std::uint64_t dropped_ = 0;
  bool no_body_ = false;
  bool begun_ = false;
  bool submitted_ = false;
  bool finished_ = false;
  bool deferred_ = false;
  bool out_ = false;  // Its end is in a frame.
  bool broken_ = false;
  bool write_wanted_ = false;

  Time started_{};
  Time head_at_{};
  Time read_due_ = Time::max();
  Time write_due_ = Time::max();
};

}  // namespace weft
